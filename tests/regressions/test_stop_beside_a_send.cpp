// Found by reading: stop() waits for the calls of the program's other threads, but sendTo() to another member is
// not counted as one, for speed. A thread that was preempted there under the lock of a mailbox outlived the
// membership: the slot's file lock was free, so the lock was taken over, and when the thread ran on two wrote one
// record, and it gave back a lock that was another's. Remedy: the slot is kept until no mailbox's lock names us,
// and who finds under the lock that it is out gives back only what still is its own.
// Found by reading that: where the registry was not to be had, the slot word went on saying active, so a thread
// that was on its way to the lock wrote all the same (remedy: OwnerOracle::retire()); and stop() waited without a
// heart, for which the process could be killed (remedy: the service thread ends after the wait, and takes us out
// of the group when the registry is to be had again).

#include <ronde/ronde.hpp>
#include <thread>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/gate.hpp"
#include "tests/support/stub_oracle.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

/// Of a third member beside two bare ones, which do not beat.
Options leaverOptions(Options options) {
  options.expected = 2;
  options.name = "leaver";
  return options;
}

Options patientOptions() {
  Options options = scratchOptions();
  options.heartbeatInterval = std::chrono::milliseconds(20);
  options.heartbeatTimeout = std::chrono::minutes(1);
  return options;
}

}  // namespace

TEST_CASE("stop() keeps the slot while a thread of ours is under a mailbox's lock (P2)", "[threads]") {
  const Watchdog watchdog;
  const BareGroup group(2, patientOptions());
  Communicator com(leaverOptions(group.options()));
  const Member leaver = com.member();
  Word& lock = wordOf(group.segment().mailbox(0).producers);
  lock.store(SlotLock::ownerWord(leaver));  // as of a thread that was preempted in there
  CHECK(com.stop(std::chrono::milliseconds(20)).status == Status::timeout);
  CHECK(group.segment().isSlotClaimed(leaver.slot));
  // The heart goes on beating: nobody may take us for silent.
  const Word64& beats = group.segment().slot(leaver.slot).beats;
  const std::uint64_t before = beats.load();
  while (beats.load() < before + 2) std::this_thread::yield();
  lock.store(0);
  CHECK(com.stop().ok());
  CHECK_FALSE(group.segment().isSlotClaimed(leaver.slot));
}

TEST_CASE("a send that stop() overtook writes nothing, also where the registry was not to be had (P2)",
          "[threads]") {
  const Watchdog watchdog;
  const BareGroup group(2, patientOptions());
  const Gate onItsWay;
  const Gate stopped;
  Options options = leaverOptions(group.options());
  options.observer = [&](const Event& event) {
    if (event.type != EventType::send) return;
    onItsWay.open();  // it has been asked whether it may
    stopped.pass();
  };
  Communicator com(options);
  const Member leaver = com.member();
  SlotLock& registryLock = group.segment().control().registryLock;
  REQUIRE(holdsLock(registryLock.lock(group[1].self, group[1].liveness, soon())));
  Status status = Status::ok;
  std::thread sending([&] { status = com.sendTo("late", group[0].self).status; });
  onItsWay.pass();
  CHECK(com.stop(std::chrono::milliseconds(20)).ok());
  CHECK_FALSE(group.segment().isSlotClaimed(leaver.slot));
  CHECK(group[0].context.isActive(leaver));  // nobody could say otherwise
  stopped.open();
  sending.join();
  registryLock.unlock();
  CHECK(status == Status::stopped);
  CHECK(group.segment().mailbox(0).tail == 0);
}

// No beat comes to its help.
TEST_CASE("a stop() that timed out leaves the group all the same once the registry is to be had", "[threads]") {
  const Watchdog watchdog;
  Options options = patientOptions();
  options.heartbeatInterval = std::chrono::minutes(1);
  options.heartbeatTimeout = std::chrono::minutes(3);
  const BareGroup group(2, options);
  Communicator com(leaverOptions(group.options()));
  const Member leaver = com.member();
  SlotLock& registryLock = group.segment().control().registryLock;
  REQUIRE(holdsLock(registryLock.lock(group[1].self, group[1].liveness, soon())));
  Word& lock = wordOf(group.segment().mailbox(0).producers);
  lock.store(SlotLock::ownerWord(leaver));  // as of a thread that is in there
  CHECK(com.stop(std::chrono::milliseconds(20)).status == Status::timeout);
  CHECK(group[0].context.isActive(leaver));
  registryLock.unlock();
  while (group[0].context.isActive(leaver)) std::this_thread::yield();
  CHECK(group[0].word().phase == Phase::active);
  CHECK(group.segment().isSlotClaimed(leaver.slot));
  lock.store(0);
  CHECK(com.stop().ok());
}
