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
  const auto useTheBlockAgain = [&] {
    for (std::uint64_t i = 0; i < kOutboxBlocks; ++i) {
      Outbox::finish(commitBlock(sender, 3 + i, Bytes(200), std::span<const Member>{}));
    }
    CHECK(first.header().length == 200);
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
  SECTION("the block is in use again before the look") {
    evict();
    useTheBlockAgain();
    CHECK(receive(sink) == Status::evicted);
  }
  SECTION("the block is in use again between the look and the claim") {
    MeddlingSink meddling([&] {
      evict();
      useTheBlockAgain();
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
  SECTION("another thread of the program sees none either") {
    evict();
    useTheBlockAgain();
    CHECK(take(receiver).status == TakeStatus::out);
    CHECK(take(receiver).status == TakeStatus::out);
  }
  CHECK(receive(sink) == Status::evicted);
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
