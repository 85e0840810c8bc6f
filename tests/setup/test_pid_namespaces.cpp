// Members of one group in different pid namespaces, where a pid means nothing to the others.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/bare_group.hpp"
#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/namespaces.hpp"
#include "tests/support/operations.hpp"
#include "tests/support/scratch_group.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

/// A child whose body runs in a pid namespace of its own, and its number in ours.
class Elsewhere {
 public:
  explicit Elsewhere(const std::function<std::string()>& body)
      : relay_([this, body] { return inPidNamespace(body, &*pid_); }) {}
  Child& relay() { return relay_; }
  [[nodiscard]] pid_t pid() const { return *pid_; }

 private:
  const Shared<pid_t> pid_;
  Child relay_;
};

bool mayEnter() {
  Child child([] { return inPidNamespace([] { return std::string(); }); });
  return !wasSkipped(child.report());
}

std::string memberElsewhere(const Options& options, const Gate& done, bool hasOwnProc) {
  if (hasOwnProc) {
    if (auto why = enterOwnProc(); !why.empty()) return why;
  }
  if (getpid() != 1) return "not in a namespace of its own";
  Communicator com(options);
  if (auto fault = allOperations(com); !fault.empty()) return fault;
  done.open();
  return stayUntilKilled();
}

}  // namespace

TEST_CASE("members in different pid namespaces form one group, and see each other die (F1)", "[process]") {
  if (!mayEnter()) return;
  for (const bool hasOwnProc : {true, false}) {
    CAPTURE(hasOwnProc);
    const ScratchGroup group;
    const Gate done;
    // Both are number 1 where they are.
    Elsewhere second([&] { return memberElsewhere(group.options(1, 3), done, hasOwnProc); });
    Elsewhere third([&] { return memberElsewhere(group.options(2, 3), done, hasOwnProc); });
    Communicator com(group.options(0, 3));
    REQUIRE(allOperations(com) == "");
    second.relay().awaitOpen(done);
    third.relay().awaitOpen(done);
    const std::uint64_t before = com.viewNumber();
    REQUIRE(kill(second.pid(), SIGKILL) == 0);
    const auto view = com.waitView(before);
    REQUIRE(view);
    CHECK(view->departed.back().name.view() == "P1");
    CHECK(view->departed.back().reason == Departure::died);
    REQUIRE(kill(third.pid(), SIGKILL) == 0);
    awaitSize(com, 1);
    CHECK(allOperations(com) == "");
  }
}

// A death in the outer namespace, seen from the inner one; the outer pid does not even exist there.
TEST_CASE("a death outside is seen from inside a pid namespace (F1)", "[process]") {
  if (!mayEnter()) return;
  const ScratchGroup group;
  const Gate done;
  Child outside([&] {
    Communicator com(group.options(1, 2));
    if (auto fault = allOperations(com); !fault.empty()) return fault;
    done.open();
    return stayUntilKilled();
  });
  Elsewhere inside([&] {
    Communicator com(group.options(0, 2));
    if (auto fault = allOperations(com); !fault.empty()) return fault;
    const std::uint64_t before = com.viewNumber();  // the death may be seen as soon as it may happen
    done.open();
    const auto view = com.waitView(before);
    return view ? toText(*view) + allOperations(com) : std::string(toString(view.status()));
  });
  outside.awaitOpen(done);
  inside.relay().awaitOpen(done);
  outside.kill();
  const std::string report = inside.relay().report();
  CHECK(report == "2: P0 | P1 died");
}

// Its pid is none of ours, so it cannot be killed, and above all nobody else is: README, peerStopped.
TEST_CASE("a stopped owner of a lock in another pid namespace is not fenced; calls that need the lock say so (P1)",
          "[process]") {
  if (!mayEnter()) return;
  const ScratchGroup group;
  const Gate holding;
  Elsewhere owner([&]() -> std::string {
    if (auto why = enterOwnProc(); !why.empty()) return why;
    Communicator com(group.impatient("P1", 2));
    BareMember second(group.impatient("P2"), "P2");
    if (second.admit() != detail::Admission::admitted) return "not admitted";
    if (!holdsLock(second.segment->control().barrier.lock.lock(second.self, second.liveness, soon()))) return "no";
    holding.open();
    return stayUntilKilled();
  });
  Communicator com(group.impatient("P0", 2));
  owner.relay().awaitOpen(holding);
  awaitSize(com, 3);
  REQUIRE(kill(owner.pid(), SIGSTOP) == 0);
  awaitSize(com, 1);
  Outcome barred = com.synchronize(1, 300ms);
  // Whoever was late itself does not call others stopped.
  while (barred.status == Status::timeout) barred = com.synchronize(1, 300ms);
  CHECK(barred.status == Status::peerStopped);
  CHECK(kill(owner.pid(), 0) == 0);
  CHECK(com.sendTo("not in need of the lock", 0).ok());
  CHECK(com.receive().ok());
  // Its end, by whomever, is noticed, and the lock is free.
  REQUIRE(kill(owner.pid(), SIGKILL) == 0);
  CHECK(com.synchronize(1).ok());
}
