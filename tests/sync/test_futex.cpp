#include "ipc/sync/futex.hpp"

#include <array>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/shared.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde::detail;
using namespace ronde::testing;

namespace {

constexpr std::chrono::hours kForever{1};

}  // namespace

// A private futex, as std::atomic::wait uses it, fails here.
TEST_CASE("futex: a wake reaches a sleeper in another process", "[sync]") {
  const Watchdog watchdog;
  struct Words {
    Word asked{0};
    Word answered{0};
  };
  const Shared<Words> words;
  Child child([&] {
    while (words->asked.load() == 0) futexWait(words->asked, 0, kForever);
    words->answered.store(1);
    futexWakeAll(words->answered);
    return std::string();
  });
  const BlockedCall sleeper([&] {
    while (words->answered.load() == 0) futexWait(words->answered, 0, kForever);
  });
  words->asked.store(1);
  futexWakeAll(words->asked);
  CHECK(child.report().empty());
}

TEST_CASE("futex: a word that has changed is not slept on", "[sync]") {
  const Watchdog watchdog;
  Word word{1};
  futexWait(word, 0, kForever);
  futexWait(word, 1, std::chrono::nanoseconds(0));
  futexWait(word, 1, std::chrono::nanoseconds(-1));
  Word same{5};
  const std::array<FutexExpectation, 2> words{{{&same, 5}, {&word, 0}}};
  futexWaitAny(words, kForever);
  const std::array<FutexExpectation, 1> unchanged{{{&same, 5}}};
  futexWaitAny(unchanged, std::chrono::nanoseconds(0));
  futexWaitAny(unchanged, std::chrono::milliseconds(1));
  SUCCEED("nothing slept for an hour");
}

TEST_CASE("futex: waiting for any of many words ends with a wake of whichever", "[sync]") {
  const Watchdog watchdog;
  std::vector<Word> words(kFutexWaitAnyMax);
  std::vector<FutexExpectation> expected;
  for (const Word& word : words) expected.push_back({&word, 0});
  if (!futexWaitAny(expected, std::chrono::milliseconds(1))) {
    SUCCEED("this kernel has no futex_waitv; callers poll instead");
    return;
  }
  const std::size_t which = GENERATE(0U, 63U, 127U);
  Word& word = words.at(which);
  const BlockedCall sleeper([&] {
    while (word.load() == 0) futexWaitAny(expected, kForever);
  });
  word.store(1);
  futexWakeAll(word);
}

TEST_CASE("futex: more words than the kernel takes are cut off and not refused", "[sync]") {
  const Watchdog watchdog;
  std::vector<Word> words(kFutexWaitAnyMax + 10);
  std::vector<FutexExpectation> expected;
  for (const Word& word : words) expected.push_back({&word, 0});
  const std::span<const FutexExpectation> asMany(expected.data(), kFutexWaitAnyMax);
  CHECK(futexWaitAny(expected, std::chrono::milliseconds(1)) ==
        futexWaitAny(asMany, std::chrono::milliseconds(1)));
}
