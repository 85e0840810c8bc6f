// Found by reading: an acknowledged broadcast that found no room in somebody's mailbox until its deadline said
// that its block was handed over, and withdrew what it owed to that member only after that. Of a sender that died
// between the two nobody delivered the message any more: one survivor had it, another was told that it never
// comes, and the slot was owed to that one for ever. Remedy: who was not reached is withdrawn first
// (tests/models/rendezvous.pml, FINISH_FIRST).

#include <stdexcept>
#include <thread>

#include "ipc/protocol/rendezvous.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

struct Death : std::exception {};

}  // namespace

TEST_CASE("who dies in an acknowledged broadcast that did not reach somebody owes nothing (P2, P5)", "[threads]") {
  const Watchdog watchdog;
  BareGroup group(3);
  BareMember& quick = group[1];
  BareMember& full = group[2];
  const Block filler = commitBlock(quick, 1, bytesOf("filler"), {&full.self, 1});
  while (pushReference(quick, full, 1, filler) == PushResult::pushed) {
  }
  Messaging messaging(group[0].context, group[0].roster, group[0].outbox, group[0].inbox);
  Rendezvous rendezvous(group[0].context, group[0].roster, group[0].outbox, messaging);
  Received received;
  std::thread taking([&] {
    while (!received.isMessage()) received = take(quick);
  });
  // A call ends where its observer throws; as if the process died there, with the block as it is.
  const auto dies = [](Member, MemberId, bool) { throw Death(); };
  CHECK_THROWS_AS(rendezvous.broadcastSync(bytesOf("x"), 1, Deadline::in(std::chrono::milliseconds(200)), dies),
                  Death);
  taking.join();
  CHECK(received.bytes == bytesOf("x"));

  group.bury(group[0], quick);
  CHECK_FALSE(isAnythingOwed(group.segment(), group[0].self.slot));
  CHECK(group[0].word().phase == Phase::free);
}
