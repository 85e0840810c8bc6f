// Found by the soak under load: "something before it was lost though reported ok", or "mailbox corrupt". A member
// was stopped while it took a message that lay in its sender's outbox, and evicted. The sender then used the block
// again. When the member ran on it could not have that message, and so it should be; but it passed on to the next
// one, which lay whole in its mailbox, and the program saw a gap before it was told of its eviction. Or it found
// the block's new length, and took its mailbox for damaged. Remedy: who cannot have a message asks whether it is
// still a member, and if not takes nothing any more.

#include "ipc/protocol/messaging.hpp"
#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("who is evicted while it takes a message sees no gap before it is told (P2)") {
  BareGroup group(3);
  BareMember& sender = group[0];
  BareMember& receiver = group[2];
  Messaging messaging(receiver.context, receiver.roster, receiver.outbox, receiver.inbox);
  const std::array addressees{receiver.self};
  const Block first = commitBlock(sender, 1, Bytes(6000), addressees);
  REQUIRE(pushReference(sender, receiver, 1, first) == PushResult::pushed);
  REQUIRE(push(sender, receiver, 2, bytesOf("behind it")) == PushResult::pushed);
  Outbox::finish(first);

  const auto evict = [&] { BareGroup::installWithout(receiver, Departure::silent, group[1]); };
  const auto useTheBlockAgain = [&](std::size_t bytes) {
    for (std::uint64_t i = 0; i < kOutboxBlocks; ++i) {
      Outbox::finish(commitBlock(sender, 3 + i, Bytes(bytes), std::span<const Member>{}));
    }
    CHECK(first.header().sequence == 2 + kOutboxBlocks);
  };
  const auto receive = [&](Sink& sink) {
    Taken taken;
    return messaging.receive({}, sink, soon(), taken);
  };

  ByteSink sink;
  SECTION("the sender has given it up before the look") {
    evict();
    CHECK(first.settle(receiver.self.slot, Share::withdrawn));
    CHECK(receive(sink) == Status::evicted);
  }
  // Of another length it looks damaged; of the same, it is another message.
  const std::size_t bytes = GENERATE(std::size_t{200}, std::size_t{6000});
  SECTION("the block is in use again before the look") {
    evict();
    useTheBlockAgain(bytes);
    CHECK(receive(sink) == Status::evicted);
  }
  SECTION("the block is in use again between the look and the claim") {
    MeddlingSink meddling([&] {
      evict();
      useTheBlockAgain(bytes);
    });
    CHECK(receive(meddling) == Status::evicted);
  }
  SECTION("the sender gives it up between the look and the claim") {
    MeddlingSink meddling([&] {
      evict();
      CHECK(first.settle(receiver.self.slot, Share::withdrawn));
    });
    CHECK(receive(meddling) == Status::evicted);
  }
  SECTION("another call sees none either") {
    evict();
    useTheBlockAgain(bytes);
    CHECK(take(receiver).status == TakeStatus::out);
    CHECK(take(receiver).status == TakeStatus::out);
  }
  CHECK(receive(sink) == Status::evicted);
}

TEST_CASE("a synchronous message that an evicted member cannot have ends its mail, too (P2)") {
  BareGroup group(3);
  BareMember& receiver = group[2];
  const std::array addressees{receiver.self};
  const Block block = commitBlock(group[0], 1, bytesOf("in its mailbox"), addressees, Kind::sendToSync);
  REQUIRE(pushCopy(group[0], receiver, 1, block, bytesOf("in its mailbox")) == PushResult::pushed);
  REQUIRE(push(group[0], receiver, 2, bytesOf("behind it")) == PushResult::pushed);
  const auto evictAndWithdraw = [&] {
    BareGroup::installWithout(receiver, Departure::silent, group[1]);
    CHECK(block.settle(receiver.self.slot, Share::withdrawn));
  };
  SECTION("before the look") { evictAndWithdraw(); }
  SECTION("between the look and the claim") {
    MeddlingSink meddling(evictAndWithdraw);
    Taken taken;
    CHECK(receiver.inbox.take({}, meddling, taken) == TakeStatus::out);
  }
  CHECK(take(receiver).status == TakeStatus::out);
}

// The same as a member: what the sender took back is passed over.
TEST_CASE("a member passes over a message that was withdrawn (P2)") {
  const BareGroup group(2);
  const std::array addressees{group[1].self};
  const Block first = commitBlock(group[0], 1, Bytes(6000), addressees);
  REQUIRE(pushReference(group[0], group[1], 1, first) == PushResult::pushed);
  REQUIRE(push(group[0], group[1], 2, bytesOf("behind it")) == PushResult::pushed);
  REQUIRE(first.settle(group[1].self.slot, Share::withdrawn));
  CHECK(take(group[1]).bytes == bytesOf("behind it"));
}
