// A member's pid is given to a stranger after the member's death, while the others cannot look.

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <ctime>

#include "ipc/sync/identity.hpp"
#include "tests/support/bare_group.hpp"
#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/namespaces.hpp"
#include "tests/support/operations.hpp"
#include "tests/support/scratch_group.hpp"

using namespace ronde;
using namespace ronde::testing;

namespace {

/// A process that lives on with the given pid; none (-1) if it cannot be had.
class Stranger {
 public:
  explicit Stranger(pid_t pid) {
    const std::array<pid_t, 1> wanted{pid};
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = reinterpret_cast<std::uintptr_t>(wanted.data());
    arguments.set_tid_size = wanted.size();
    pid_ = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
    if (pid_ == 0) stayUntilKilled();
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  ~Stranger() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool lives() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
  }

 private:
  pid_t pid_ = -1;
};

/// Until a process that starts now has another start time than one that started before: it counts in 10 ms.
void awaitNextTick() {
  const auto tick = [] {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * 100 + now.tv_nsec / 10'000'000;
  };
  for (const long before = tick(); tick() == before;) {
  }
}

/// The body in a small world of its own, the first process of a pid namespace with its own /proc.
std::string inSmallWorld(const std::function<std::string()>& body) {
  Child child([&] {
    return inPidNamespace([&] {
      const auto why = enterOwnProc();
      return why.empty() ? body() : why;
    });
  });
  return child.report();
}

/// The survivor is stopped while `victim` dies and a stranger gets its pid; it must not take one for the other.
std::string replaceUnseen(const Child& survivor, Child& victim, const std::function<std::string()>& meanwhile) {
  survivor.stop();
  const pid_t pid = victim.pid();
  victim.kill();
  awaitNextTick();
  const Stranger stranger(pid);
  if (stranger.pid() != pid) return skippedBecause("no process with a chosen pid");
  survivor.resume();
  const std::string report = meanwhile();
  if (!report.empty()) return report;
  return stranger.lives() ? std::string() : "the stranger was killed";
}

}  // namespace

TEST_CASE("a member's death is seen although its pid lives on as a stranger's (F1)", "[process]") {
  const ScratchGroup group;
  const std::string report = inSmallWorld([&]() -> std::string {
    const Gate ready;
    Child survivor([&]() -> std::string {
      Communicator com(group.options(0, 2));
      ready.open();
      const auto view = com.waitView(1);
      if (!view) return "the death was not seen: " + std::string(toString(view.status()));
      return toText(*view) == "2: P0 | P1 died" ? allOperations(com) : toText(*view);
    });
    Child victim([&] {
      Communicator com(group.options(1, 2));
      ready.open();
      return stayUntilKilled();
    });
    survivor.awaitOpen(ready);
    victim.awaitOpen(ready);
    return replaceUnseen(survivor, victim, [&] { return survivor.report(); });
  });
  if (!wasSkipped(report)) CHECK(report == "");
}

TEST_CASE("the lock of a dead member is taken over, and the stranger with its pid is not fenced for it (P2)",
          "[process]") {
  const ScratchGroup group;
  const std::string report = inSmallWorld([&]() -> std::string {
    const Gate ready;
    Child survivor([&]() -> std::string {
      Communicator com(group.impatient(0, 2));
      ready.open();
      awaitSize(com, 1);
      return com.synchronize(1).ok() ? allOperations(com) : "the barrier is barred";
    });
    Child victim([&]() -> std::string {
      BareMember me(group.impatient(1, 2), "P1");
      const auto isInView = [&] { return me.table().joinedView != 0; };
      if (me.admit() == detail::Admission::waiting && me.context.wait(soon(), isInView) != Status::ok)
        return "alone";
      if (!holdsLock(me.segment->control().barrier.lock.lock(me.self, me.liveness, soon()))) return "no lock";
      ready.open();
      return stayUntilKilled();
    });
    survivor.awaitOpen(ready);
    victim.awaitOpen(ready);
    return replaceUnseen(survivor, victim, [&] { return survivor.report(); });
  });
  if (!wasSkipped(report)) CHECK(report == "");
}

TEST_CASE("fencing compares the start time: whoever has the pid now is spared", "[process]") {
  const std::string report = inSmallWorld([]() -> std::string {
    const Shared<detail::ProcessIdentity> identity;
    const Gate ready;
    Child victim([&] {
      *identity = detail::ProcessIdentity::ofThisProcess();
      ready.open();
      return stayUntilKilled();
    });
    victim.awaitOpen(ready);
    if (identity->startTime == 0 || detail::hasEnded(*identity)) return "the victim is not alive";
    victim.kill();
    awaitNextTick();
    const Stranger stranger(static_cast<pid_t>(identity->pid));
    if (stranger.pid() < 0) return skippedBecause("no process with a chosen pid");
    if (!detail::hasEnded(*identity)) return "the stranger counts as the victim";
    if (detail::PinnedProcess(*identity).killForSure()) return "somebody was killed";
    return stranger.lives() ? std::string() : "the stranger was killed";
  });
  if (!wasSkipped(report)) CHECK(report == "");
}
