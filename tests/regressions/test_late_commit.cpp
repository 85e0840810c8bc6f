// Found by the soak: slots of evicted members were never given out again. A member that is stopped between the
// reservation of a broadcast and its commit, is evicted and resumes commits what nobody delivers any more: the
// clean-up has gone through its outbox already. It then marked the block as handed over, which says that all
// addressees will take it; they never heard of it, and the slot waited for them for ever. Remedy: who is out does
// not mark anything as handed over.

#include <array>

#include "ipc/protocol/messaging.hpp"
#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("what an evicted member commits late keeps no slot in use (P2)") {
  BareGroup group(3);
  Messaging messaging(group[0].context, group[0].roster, group[0].outbox, group[0].inbox);
  BareGroup::installWithout(group[0], Departure::silent, group[1]);
  static_cast<void>(cleanUp(group[1].context, group[1].registry));

  const std::array others{group[1].self, group[2].self};
  const Block late = commitBlock(group[0], 1, bytesOf("late"), others);
  messaging.finish(late);
  CHECK_FALSE(isAnythingOwed(group.segment(), group[0].self.slot));

  group[0].segment->releaseSlot(group[0].self.slot);
  static_cast<void>(cleanUp(group[1].context, group[1].registry));
  CHECK(group[0].word().phase == Phase::free);
}

TEST_CASE("what a member commits in time is owed until it is taken") {
  const BareGroup group(2);
  const Messaging messaging(group[0].context, group[0].roster, group[0].outbox, group[0].inbox);
  const std::array other{group[1].self};
  const Block block = commitBlock(group[0], 1, bytesOf("in time"), other);
  messaging.finish(block);
  CHECK(isAnythingOwed(group.segment(), group[0].self.slot));
}
