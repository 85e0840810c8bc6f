#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/sleeper.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

Options smallMailbox(const ScratchGroup& group, FullPolicy policy) {
  Options options = group.options("P0");
  options.mailboxMessages = 64;
  options.mailboxBytes = 64 * 1024;
  options.onFull = policy;
  return options;
}

/// Sends numbers until there is no room; returns how many fitted.
int fill(Communicator& sender, MemberId to) {
  int count = 0;
  while (sender.sendTo(count, to, 0ms).acknowledged.contains(to)) ++count;
  return count;
}

/// Receives `count` numbers, 0, 1, 2…, and then nothing.
void checkHolds(Communicator& receiver, int count) {
  for (int i = 0; i < count; ++i) {
    const auto message = receiver.tryReceive();
    REQUIRE(message);
    REQUIRE(message->as<int>() == i);
  }
  CHECK(receiver.tryReceive().status() == Status::empty);
}

}  // namespace

TEST_CASE("FullPolicy::block ends at the deadline, names the full member, and sends nothing late (P1)",
          "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2, smallMailbox(group, FullPolicy::block));
  const int count = fill(*members[0], 1);
  CHECK(count >= 32);
  CHECK(count <= 64);
  const Outcome refused = members[0]->sendTo("too much", 1, 2ms);
  CHECK(everything(refused) == "mailbox full, view 1, acknowledged {}, failed {}, missing {1}");
  checkHolds(*members[1], count);
  CHECK(members[0]->stats().sent == static_cast<std::uint64_t>(count));
  CHECK(members[0]->stats().dropped == 0);
}

TEST_CASE("FullPolicy::block goes on as soon as there is room", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2, smallMailbox(group, FullPolicy::block));
  const int count = fill(*members[0], 1);
  BlockedCall call([&] { return members[0]->sendTo(count, 1); });
  CHECK_FALSE(call.hasEnded());
  REQUIRE(members[1]->receive()->as<int>() == 0);
  REQUIRE(call.result());
  for (int i = 1; i <= count; ++i) REQUIRE(members[1]->receive()->as<int>() == i);
}

TEST_CASE("FullPolicy::fail answers at once", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2, smallMailbox(group, FullPolicy::fail));
  const int count = fill(*members[0], 1);
  const Outcome refused = members[0]->sendTo("too much", 1, 24h);  // the watchdog is the judge
  CHECK(everything(refused) == "mailbox full, view 1, acknowledged {}, failed {}, missing {1}");
  checkHolds(*members[1], count);
}

TEST_CASE("FullPolicy::drop says ok, counts what it dropped, and keeps what was there", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3, smallMailbox(group, FullPolicy::drop));
  const int count = fill(*members[0], 1);
  CHECK(members[0]->stats().dropped == 1);  // the one that fill() tried in vain
  for (int i = 0; i < 5; ++i) {
    const Outcome dropped = members[0]->sendTo("too much", 1, 24h);
    CHECK(everything(dropped) == "ok, view 1, acknowledged {}, failed {}, missing {}");
  }
  CHECK(members[0]->stats().dropped == 6);
  // Of a broadcast only the copy of the full member is dropped.
  CHECK(everything(members[0]->broadcast(0)) == "ok, view 1, acknowledged {2}, failed {}, missing {}");
  CHECK(members[0]->stats().dropped == 7);
  checkHolds(*members[1], count);
  checkHolds(*members[2], 1);
}

TEST_CASE("a full mailbox delays only its owner's copy of a broadcast", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 4, smallMailbox(group, FullPolicy::block));
  const int count = fill(*members[0], 2);
  BlockedCall call([&] { return members[0]->broadcast("news"); });
  CHECK(members[1]->receive()->text() == "news");
  CHECK(members[3]->receive()->text() == "news");
  CHECK_FALSE(call.hasEnded());
  for (int i = 0; i < count; ++i) REQUIRE(members[2]->receive()->as<int>() == i);
  CHECK(everything(call.result()) == "ok, view 1, acknowledged {1,2,3}, failed {}, missing {}");
  CHECK(members[2]->receive()->text() == "news");
}

TEST_CASE("at the deadline a broadcast says who has it and whose mailbox is full (P1)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 4, smallMailbox(group, FullPolicy::block));
  const int count = fill(*members[0], 2);
  const Outcome outcome = members[0]->publish(0, 2ms);
  CHECK(everything(outcome) == "mailbox full, view 1, acknowledged {0,1,3}, failed {}, missing {2}");
  checkHolds(*members[2], count);  // and does not get it later
  for (const int id : {0, 1, 3}) checkHolds(*members[static_cast<std::size_t>(id)], 1);
}

TEST_CASE("a reader that takes no large broadcast is named when the outbox is full (P1)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  const std::string text(100'000, 'x');
  int fitted = 0;
  Outcome outcome = members[0]->broadcast(text, 0ms);
  for (; outcome.ok(); outcome = members[0]->broadcast(text, 0ms)) {
    REQUIRE(members[1]->receive());
    ++fitted;
  }
  CHECK(fitted >= 1);
  CHECK(everything(outcome) == "mailbox full, view 1, acknowledged {}, failed {}, missing {2}");
  CHECK(members[1]->tryReceive().status() == Status::empty);

  BlockedCall call([&] { return members[0]->broadcast(text); });
  REQUIRE(members[2]->receive());
  REQUIRE(call.result());
  REQUIRE(members[1]->receive());
  for (int i = 0; i < fitted; ++i) REQUIRE(members[2]->receive());
  CHECK(members[2]->tryReceive().status() == Status::empty);
}

TEST_CASE("views and stops are heard with a full mailbox (design, mailbox)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3, smallMailbox(group, FullPolicy::fail));
  const int count = fill(*members[0], 1);
  REQUIRE(members[2]->stop());
  const auto view = members[1]->waitView(1);
  REQUIRE(view);
  CHECK(toText(*view) == "2: P0 P1 | P2 left");
  // A synchronous message has room of its own.
  BlockedCall call([&] { return members[0]->sendToSync("sync", 1); });
  CHECK(members[1]->receiveFromSync(0)->text() == "sync");
  REQUIRE(call.result());
  checkHolds(*members[1], count);
}

TEST_CASE("a sender that waits for room is freed when the receiver dies (P1)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child reader([&] {
    const Communicator com(smallMailbox(group, FullPolicy::block));
    ready.open();
    return stayUntilKilled();
  });
  reader.awaitOpen(ready);
  Options options = group.options("P1");
  Communicator com(options);
  Communicator other(group.options("P2"));
  fill(com, 0);
  BlockedCall one([&] { return com.sendTo("too much", 0); });
  BlockedCall all([&] { return other.broadcast("too much"); });
  reader.kill();
  CHECK(everything(one.result()) == "stale view, view 2, acknowledged {}, failed {0}, missing {}");
  CHECK(everything(all.result()) == "ok, view 3, acknowledged {1}, failed {0}, missing {}");
  CHECK(com.receive()->text() == "too much");
}
