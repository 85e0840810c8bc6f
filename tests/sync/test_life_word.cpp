#include "ipc/sync/life_word.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde::detail;
using namespace ronde::testing;

namespace {

/// A process with a thread that has a life word, as a member's service thread has; it ends as `end` does.
template <class End>
std::string liveAndEnd(Word& word, const Gate& go, End end) {
  const Gate begun;
  LifeWord life;
  std::thread service([&] {
    if (!life.begin(word)) _exit(3);
    begun.open();
    for (;;) pause();
  });
  begun.pass();
  go.pass();
  end();
  return "went on";
}

robust_list_head* ownRobustList() {
  robust_list_head* head = nullptr;
  std::size_t size = 0;
  syscall(SYS_get_robust_list, 0, &head, &size);
  return head;
}

}  // namespace

// Design §7: the kernel announces a death, however the process ends, and wakes who watches.
TEST_CASE("life word: every kind of death is announced and wakes a watcher", "[sync]") {
  const Watchdog watchdog;
  const Shared<Word> life;
  const Gate go;
  const int kind = GENERATE(0, 1, 2, 3);
  CAPTURE(kind);
  const Child child([&] {
    return liveAndEnd(*life, go, [&] {
      if (kind == 0) raise(SIGKILL);
      if (kind == 1) _exit(0);
      if (kind == 2) execl("/bin/sleep", "sleep", "100", nullptr);
      if (kind == 3) raise(SIGSEGV);
    });
  });
  while (life->load() == 0) std::this_thread::yield();
  CHECK_FALSE(LifeWord::saysDead(life->load()));
  {
    const BlockedCall watcher([&] {
      for (std::uint32_t seen = life->load(); !LifeWord::saysDead(seen); seen = life->load()) {
        futexWait(*life, seen, std::chrono::hours(1));
      }
    });
    go.open();
  }
  CHECK(LifeWord::saysDead(life->load()));
}

TEST_CASE("life word: an orderly end clears the word and the thread's exit leaves it alone", "[sync]") {
  const Watchdog watchdog;
  Word word{0};
  bool begun = false;
  std::uint32_t during = 0;
  bool listRestored = false;
  std::thread([&] {
    const robust_list_head* const before = ownRobustList();
    LifeWord life;
    begun = life.begin(word);
    during = word.load();
    life.end();
    life.end();  // a second end is nothing
    listRestored = ownRobustList() == before;
  }).join();
  REQUIRE(begun);
  CHECK(during != 0);
  CHECK_FALSE(LifeWord::saysDead(during));
  CHECK(word.load() == 0);
  CHECK(listRestored);  // glibc's own list for robust mutexes
}

TEST_CASE("life word: a thread that ends without saying so is announced as well", "[sync]") {
  const Watchdog watchdog;
  Word word{0};
  LifeWord life;
  std::thread([&] { static_cast<void>(life.begin(word)); }).join();
  // join() returns a moment before the kernel walks the list.
  for (std::uint32_t seen = word.load(); !LifeWord::saysDead(seen); seen = word.load()) {
    futexWait(word, seen, std::chrono::milliseconds(100));
  }
  SUCCEED("announced");
}

TEST_CASE("life word: only the kernel's mark means death", "[sync]") {
  CHECK_FALSE(LifeWord::saysDead(0));
  CHECK_FALSE(LifeWord::saysDead(1234 | FUTEX_WAITERS));
  CHECK(LifeWord::saysDead(FUTEX_OWNER_DIED));
  CHECK(LifeWord::saysDead(1234 | FUTEX_WAITERS | FUTEX_OWNER_DIED));
}
