// Found by the model of the barrier (tests/models/barrier.pml, NO_STANDING): an evicted member passed a round that
// failed for everybody else. The clean-up takes its arrival back and fails the round for those who are still in
// it, so it leaves no verdict for the one that is out; and a round that has ended without a verdict for us was
// taken for one that passed. Remedy: whoever finds no verdict asks whether it is still a member before it believes
// in a pass.

#include "tests/support/catch.hpp"
#include "tests/support/meeting.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::testing;

TEST_CASE("who is evicted while it waits at the barrier does not pass a round that failed (P4)") {
  const Watchdog watchdog;
  Meeting meeting(3);
  auto evicted = meeting.arriveAndSleep(1, kAll);
  auto stays = meeting.arriveAndSleep(2, kAll);
  meeting.evict(1, 0);
  CHECK(stays.get().status == Status::peerFailed);
  CHECK(evicted.get().status == Status::evicted);
}
