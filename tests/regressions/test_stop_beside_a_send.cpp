// Found by reading: stop() waits for the calls of the program's other threads, but sendTo() to another member is
// not counted as one, for speed. A thread that was preempted there under the lock of a mailbox outlived the
// membership: the slot's file lock was free, so the lock was taken over, and when the thread ran on two wrote one
// record, and it gave back a lock that was another's. Remedy: the slot is kept until no mailbox's lock names us,
// and who finds under the lock that it is out gives back only what still is its own.

#include <ronde/ronde.hpp>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/stub_oracle.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("stop() keeps the slot while a thread of ours is under a mailbox's lock (P2)", "[threads]") {
  Options options = scratchOptions();
  options.heartbeatTimeout = std::chrono::minutes(1);  // the bare members do not beat
  const BareGroup group(2, options);
  options.expected = 2;
  options.name = "leaver";
  Communicator com(options);
  const Member leaver = com.view().members[2].member;
  Word& lock = wordOf(group.segment().mailbox(0).producers);
  lock.store(SlotLock::ownerWord(leaver));  // as of a thread that was preempted in there
  CHECK(com.stop(std::chrono::milliseconds(20)).status == Status::timeout);
  CHECK(group.segment().isSlotClaimed(leaver.slot));
  lock.store(0);
  CHECK(com.stop().ok());
  CHECK_FALSE(group.segment().isSlotClaimed(leaver.slot));
}
