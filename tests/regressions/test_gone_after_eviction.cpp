// Found by the model of the rendezvous (tests/models/rendezvous.pml, NO_STANDING): a receiver that was evicted
// while it was stopped inside receiveFrom() was told that the sender had failed, although the sender's last
// broadcast had been adopted and delivered to everybody else. The clean-up owes nothing to who is out, so to that
// one "gone, and nothing on its way" means nothing. Remedy: whoever finds its peer gone asks whether it is still a
// member itself.

#include "ipc/protocol/messaging.hpp"
#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("who is evicted inside a call that waits for one that died learns of its own eviction (P4)") {
  BareGroup group(3);
  Messaging messaging(group[2].context, group[2].roster, group[2].outbox, group[2].inbox);
  BareGroup::installWithout(group[0], Departure::died, group[1]);
  static_cast<void>(cleanUp(group[1].context, group[1].registry));

  ByteSink sink;
  Taken taken;
  const Wanted fromTheDead{.anything = false, .from = group[0].self};
  CHECK(messaging.receive(fromTheDead, sink, soon(), taken) == Status::peerFailed);

  BareGroup::installWithout(group[2], Departure::silent, group[1]);
  CHECK(messaging.receive(fromTheDead, sink, soon(), taken) == Status::evicted);
}
