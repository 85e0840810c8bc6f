// System calls that a sandbox refuses.

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>

#include "tests/support/bare_group.hpp"
#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/operations.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/seccomp.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

/// One set of refused calls.
struct Sandbox {
  const char* name;
  std::function<std::string()> enter;
};

std::vector<Sandbox> sandboxes() {
  std::vector<Sandbox> all;
  for (const int error : {ENOSYS, EPERM}) {
    all.push_back({"no pidfd", [error] { return refuseCalls({SYS_pidfd_open, SYS_pidfd_send_signal}, error); }});
    all.push_back({"no futex_waitv", [error] { return refuseCalls({449}, error); }});
    all.push_back({"no robust list", [error] {
                     return refuseCalls({SYS_set_robust_list, SYS_get_robust_list}, error);
                   }});
    all.push_back({"none of them", [error] {
                     return refuseCalls({SYS_pidfd_open, SYS_pidfd_send_signal, 449, SYS_set_robust_list}, error);
                   }});
  }
  return all;
}

/// Two members in the sandbox do everything; then one is killed and the other one is alone.
std::string liveIn(const ScratchGroup& group, const Sandbox& sandbox) {
  if (auto why = sandbox.enter(); !why.empty()) return why;
  const Gate done;
  Child victim([&] {
    Communicator com(group.options("P1", 2));
    if (auto fault = allOperations(com); !fault.empty()) return fault;
    done.open();
    return stayUntilKilled();
  });
  Communicator com(group.options("P0", 2));
  if (auto fault = allOperations(com); !fault.empty()) return fault;
  victim.awaitOpen(done);
  const std::uint64_t before = com.viewNumber();
  victim.kill();
  const auto view = com.waitView(before);
  if (!view) return "the death was not noticed: " + std::string(toString(view.status()));
  if (view->departed.empty() || view->departed.back().reason != Departure::died) return "not as a death";
  return allOperations(com);
}

}  // namespace

TEST_CASE("without pidfd, futex_waitv or robust lists everything works, and a death is noticed (F1, F5)",
          "[process]") {
  for (const Sandbox& sandbox : sandboxes()) {
    CAPTURE(sandbox.name);
    const ScratchGroup group;
    Child child([&] { return liveIn(group, sandbox); });
    const std::string report = child.report();
    if (wasSkipped(report)) return;
    CHECK(report == "");
  }
}

// Nobody can be fenced there: README, "calls then end at their deadline with peerStopped".
TEST_CASE("without pidfd a stopped owner of a lock is not killed, and calls that need the lock end in peerStopped",
          "[process]") {
  for (const int error : {ENOSYS, EPERM}) {
    const ScratchGroup group;
    const Gate holding;
    Child child([&]() -> std::string {
      if (auto why = refuseCalls({SYS_pidfd_open, SYS_pidfd_send_signal}, error); !why.empty()) return why;
      Child owner([&]() -> std::string {
        Communicator com(group.impatient("P1", 2));
        // The same process, as if it had been stopped in the middle of a barrier.
        BareMember second(group.impatient("P2"), "P2");
        if (second.admit() != detail::Admission::admitted) return "not admitted";
        auto& lock = second.segment->control().barrier.lock;
        if (!holdsLock(lock.lock(second.self, second.liveness, soon()))) return "no lock";
        holding.open();
        return stayUntilKilled();
      });
      Communicator com(group.impatient("P0", 2));
      owner.awaitOpen(holding);
      awaitSize(com, 3);
      owner.stop();
      awaitSize(com, 1);  // silent, and evicted
      Outcome barred = com.synchronize(1, 300ms);
      // Whoever was late itself does not call others stopped.
      while (barred.status == Status::timeout) barred = com.synchronize(1, 300ms);
      siginfo_t info{};
      waitid(P_PID, static_cast<id_t>(owner.pid()), &info, WEXITED | WNOHANG | WNOWAIT);
      if (info.si_pid != 0) return "it was killed";
      if (barred.status != Status::peerStopped) return "the barrier: " + barred.text();
      owner.resume();
      owner.kill();
      const Outcome free = com.synchronize(1);
      return free.ok() ? std::string() : "after its death: " + free.text();
    });
    const std::string report = child.report();
    if (wasSkipped(report)) return;
    CHECK(report == "");
  }
}

TEST_CASE("without file locks by description neither founding nor joining is possible, and both say so (F5)",
          "[process]") {
  const ScratchGroup group;
  const auto refused = [&](const char* name) {
    Child child([&, name] {
      const auto why = refuseFcntl({F_OFD_SETLK, F_OFD_SETLKW, F_OFD_GETLK}, EINVAL);
      return why.empty() ? errorText([&] { return Communicator(group.options(name)).id(); }) : why;
    });
    return child.report();
  };
  const std::string founding = refused("P0");
  if (wasSkipped(founding)) return;
  CAPTURE(founding);
  CHECK(mentions(founding, {"system call failed", "locking the segment", "Invalid argument"}));
  CHECK_FALSE(group.exists());

  Communicator com(group.options("P1"));
  const std::string joining = refused("P2");
  CAPTURE(joining);
  CHECK(mentions(joining, {"system call failed", "locking", "Invalid argument"}));
  CHECK(allOperations(com) == "");
}
