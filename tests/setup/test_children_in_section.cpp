// fork(), posix_spawn() and exec() while the process holds the critical section: a child is not the holder,
// whatever it does and however long it lives; and a holder that becomes another program is gone.

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/operations.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/shared.hpp"

using namespace ronde;
using namespace ronde::testing;

namespace {

constexpr const char* kProgram = "/bin/sleep";

/// Founds a group with the parent, enters the section and does the rest in there.
std::string inSection(const Options& options, const std::function<std::string()>& rest) {
  Communicator com(options);
  const auto section = com.requestSC();
  if (!section) return "no section";
  return rest();
}

/// The others go on: the section comes to them, under a new number.
void checkTakenOver(Communicator& com) {
  const auto section = com.requestSC();
  REQUIRE(section);
  CHECK(section->fence() == 2);
  awaitSize(com, 1);
}

}  // namespace

TEST_CASE("a holder of the section that forks is the holder still; its child's death takes nothing from it (P3)",
          "[process]") {
  const ScratchGroup group;
  Communicator witness(group.options("P0"));
  const Gate childEnded;
  const Gate goOn;
  Child holder([&] {
    return inSection(group.options("P1"), [&]() -> std::string {
      const pid_t child = fork();
      if (child == 0) _exit(0);
      if (waitpid(child, nullptr, 0) != child) return "no child";
      childEnded.open();
      goOn.pass();
      return "";
    });
  });
  holder.awaitOpen(childEnded);
  CHECK(witness.trySC().status() == Status::empty);
  awaitSize(witness, 2);
  goOn.open();
  CHECK(holder.report() == "");
  checkTakenOver(witness);
}

TEST_CASE("the section of a dead holder passes on though a child or a program that it started lives on (P2)",
          "[process]") {
  const bool spawns = GENERATE(false, true);
  CAPTURE(spawns);
  const ScratchGroup group;
  Communicator witness(group.options("P0"));
  const Gate ready;
  const Gate over;
  const Shared<pid_t> started;
  Child holder([&] {
    return inSection(group.options("P1"), [&]() -> std::string {
      if (spawns) {
        std::string name = "sleep";
        std::string time = "1000";
        char* const arguments[] = {name.data(), time.data(), nullptr};
        if (posix_spawn(&*started, kProgram, nullptr, nullptr, arguments, nullptr) != 0) return "cannot spawn";
      } else {
        *started = fork();
        if (*started == 0) {
          over.pass();
          _exit(0);
        }
      }
      ready.open();
      return stayUntilKilled();
    });
  });
  holder.awaitOpen(ready);
  CHECK(witness.trySC().status() == Status::empty);
  holder.kill();
  checkTakenOver(witness);
  CHECK(kill(*started, 0) == 0);
  CHECK(allOperations(witness) == "");
  if (spawns) {
    kill(*started, SIGKILL);
  } else {
    over.open();
  }
}

TEST_CASE("the section of a holder that becomes another program passes on (P2)", "[process]") {
  const ScratchGroup group;
  Communicator witness(group.options("P0"));
  const Gate ready;
  Child holder([&] {
    return inSection(group.options("P1"), [&]() -> std::string {
      ready.open();
      execl(kProgram, "sleep", "1000", nullptr);
      return "no program";
    });
  });
  holder.awaitOpen(ready);
  checkTakenOver(witness);
  CHECK(allOperations(witness) == "");
  holder.kill();
}
