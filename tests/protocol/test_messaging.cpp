#include "ipc/protocol/messaging.hpp"

#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"
#include "tests/support/member_call.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

// P5, SYNC: intent. Committed before the first copy is handed over, so that the others can finish it.
TEST_CASE("messaging: a broadcast whose sender is cut off between two copies reaches everybody", "[protocol]") {
  const Watchdog watchdog;
  const BareGroup group(3, blockingOptions());
  Messaging messaging(group[0].context, group[0].roster, group[0].outbox, group[0].inbox);
  std::uint64_t filled = 0;
  while (push(group[1], group[2], filled + 1, {}) == PushResult::pushed) ++filled;

  const Bytes news = bytesOf("news");
  MemberCall<Outcome> call(
      group[0], [&] { return messaging.sendToAll(news, 1, Kind::broadcast, FullPolicy::block, soon()); });
  // P1 has its copy when the sender sleeps until P2 has room.
  const Word& room = group.segment().mailbox(2).room.word;
  while ((room.load() & 1) == 0 && !call.isOver()) std::this_thread::yield();
  REQUIRE(take(group[1]).bytes == news);
  BareGroup::installWithout(group[0], Departure::silent, group[1]);
  CHECK(cleanUp(group[1].context, group[1].registry));
  CHECK(call.get().status == Status::evicted);

  for (std::uint64_t i = 0; i < filled; ++i) REQUIRE(take(group[2]).bytes.empty());
  CHECK(take(group[2]).bytes == news);
  CHECK_FALSE(take(group[1]).isMessage());
  CHECK_FALSE(take(group[2]).isMessage());
}
