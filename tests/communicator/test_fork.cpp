#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <ronde/fenced_cell.hpp>
#include <ronde/inspect.hpp>
#include <thread>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/shared.hpp"

using namespace ronde;
using namespace ronde::testing;

namespace {

/// True if this process has a descriptor of a file in `folder`, be it one without a name (any more).
bool hasOpenBelow(const std::string& folder) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the iterator's own
    if (std::filesystem::read_symlink(entry.path(), gone).string().starts_with(folder)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("a forked child that uses its parent's communicator is told so by every call (issue 2, section 5)",
          "[process]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  const Communicator other(group.options("P1"));
  FencedCell<int> cell(com, "cell");
  Child child([&] {
    std::byte buffer[4];
    const std::vector<std::pair<const char*, std::function<void()>>> calls = {
        {"id", [&] { static_cast<void>(com.id()); }},
        {"size", [&] { static_cast<void>(com.size()); }},
        {"member", [&] { static_cast<void>(com.member()); }},
        {"clock", [&] { static_cast<void>(com.clock()); }},
        {"view", [&] { static_cast<void>(com.view()); }},
        {"viewNumber", [&] { static_cast<void>(com.viewNumber()); }},
        {"waitView", [&] { static_cast<void>(com.waitView(0)); }},
        {"publish", [&] { static_cast<void>(com.publish("x")); }},
        {"broadcast", [&] { static_cast<void>(com.broadcast("x")); }},
        {"sendTo", [&] { static_cast<void>(com.sendTo("x", 0)); }},
        {"sendTo member",
         [&] {
           static_cast<void>(com.sendTo("x", Member{0, 1}));
         }},
        {"receive", [&] { static_cast<void>(com.receive()); }},
        {"tryReceive", [&] { static_cast<void>(com.tryReceive()); }},
        {"receiveInto", [&] { static_cast<void>(com.receiveInto(buffer)); }},
        {"synchronize", [&] { static_cast<void>(com.synchronize()); }},
        {"synchronize N", [&] { static_cast<void>(com.synchronize(1)); }},
        {"broadcastSync", [&] { static_cast<void>(com.broadcastSync("x", 0)); }},
        {"sendToSync", [&] { static_cast<void>(com.sendToSync("x", 1)); }},
        {"receiveFromSync", [&] { static_cast<void>(com.receiveFromSync(1)); }},
        {"requestSC", [&] { static_cast<void>(com.requestSC()); }},
        {"trySC", [&] { static_cast<void>(com.trySC()); }},
        {"releaseSC", [&] { static_cast<void>(com.releaseSC()); }},
        {"stop", [&] { static_cast<void>(com.stop()); }},
        {"rejoin", [&] { com.rejoin(); }},
        {"stats", [&] { static_cast<void>(com.stats()); }},
        {"FencedCell", [&] { static_cast<void>(FencedCell<int>(com, "cell")); }},
        {"write", [&] { static_cast<void>(cell.write(1, 1)); }},
        {"read", [&] { static_cast<void>(cell.read()); }},
    };
    std::string wrong;
    for (const auto& [name, call] : calls) {
      const auto error = errorOf([&, made = call] { return made(), 0; });
      if (!error || error->errc() != Errc::forked || !mentions(error->what(), {"P0"})) {
        wrong += std::string(name) + " ";
      }
    }
    return wrong;
  });
  CHECK(child.report().empty());
}

TEST_CASE("what a child destroys of its parent's is not the group's (issue 2, section 5)", "[process]") {
  const ScratchGroup group;
  auto com = std::make_unique<Communicator>(group.options("P0"));
  Communicator witness(group.options("P1"));
  auto section = com->requestSC();
  REQUIRE(section);
  Child child([&] {
    section->release();
    com.reset();
    return "destroyed";
  });
  CHECK(child.report() == "destroyed");
  CHECK(witness.trySC().status() == Status::empty);  // the parent is in the section still
  CHECK(witness.viewNumber() == 2);
  REQUIRE(com->sendTo("alive", witness.member()));
  CHECK(witness.receive()->text() == "alive");
}

TEST_CASE("a forked child joins its parent's group with a communicator of its own (issue 2, section 5)",
          "[process]") {
  const ScratchGroup group;
  Communicator parent(group.options("P0"));
  Child child([&] {
    Communicator com(group.options("P1"));
    if (!com.sendTo("bonjour", 0)) return std::string("could not send");
    const auto answer = com.receive();
    return std::to_string(com.id()) + " " + std::string(answer->text());
  });
  const auto message = parent.receive();
  REQUIRE(message);
  CHECK(message->text() == "bonjour");
  CHECK(message->name.view() == "P1");
  REQUIRE(parent.sendTo("bonsoir", message->member));
  CHECK(child.report() == "1 bonsoir");
}

TEST_CASE("a child that outlives its parent does not keep it looking alive (F1)", "[process]") {
  const ScratchGroup group;
  Communicator witness(group.options("P0"));
  const Gate ready;
  const Gate over;
  Child parent([&] {
    const Communicator com(group.options("P1"));
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      over.pass();
      _exit(0);
    }
    ready.open();
    return stayUntilKilled();
  });
  parent.awaitOpen(ready);
  parent.kill();
  const auto view = witness.waitView(2);
  over.open();
  REQUIRE(view);
  CHECK(toText(*view) == "3: P0 | P1 died");
}

TEST_CASE("exec ends the membership as death does (F1)", "[process]") {
  const ScratchGroup group;
  Communicator witness(group.options("P0"));
  const Gate ready;
  Child child([&]() -> std::string {
    const Communicator com(group.options("P1"));
    ready.open();
    execl("/bin/sleep", "sleep", "1000", nullptr);
    return "no /bin/sleep";
  });
  child.awaitOpen(ready);
  const auto view = witness.waitView(2);
  REQUIRE(view);
  CHECK(toText(*view) == "3: P0 | P1 died");
  child.kill();
}

TEST_CASE("fork() in another thread, whenever it comes, inherits nothing that keeps the group's name alive (F1)",
          "[process][stress]") {
  const ScratchGroup group;
  const Shared<std::atomic<int>> leaks;
  const Gate forked;
  const Gate over;
  constexpr int kForks = 100;
  Child parent([&] {
    std::atomic<bool> enough{false};
    std::thread founder([&] {
      // Each round opens and creates everything anew.
      while (!enough.load()) {
        const Communicator com(group.options("P0"));
      }
    });
    for (int i = 0; i < kForks; ++i) {
      if (fork() == 0) {
        alarm(90);  // nobody else ends it if the test dies
        if (hasOpenBelow("/dev/shm/")) ++*leaks;
        forked.open();
        over.pass();  // outlives its parent
        _exit(0);
      }
      forked.pass();
    }
    enough = true;
    founder.join();
    const Communicator com(group.options("P0"));
    forked.open();
    return stayUntilKilled();
  });
  parent.awaitOpen(forked);
  parent.kill();
  removeStaleSegments();
  CHECK_FALSE(group.exists());
  CHECK(*leaks == 0);
  over.open(kForks);
}
