// References: records that point into the sender's outbox (Outbox and Inbox together).

#include <array>
#include <thread>

#include "ipc/mailbox/inbox.hpp"
#include "ipc/mailbox/outbox.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"
#include "tests/support/random.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

/// P0 receives, P1 sends.
struct Pair {
  BareGroup group{3};
  BareMember& receiver = group[0];
  BareMember& sender = group[1];
  std::array<Member, 1> addressees{receiver.self};

  Block commit(std::uint64_t sequence, const Bytes& bytes, Kind kind = Kind::broadcast) {
    return commitBlock(sender, sequence, bytes, addressees, kind);
  }
  PushResult refer(std::uint64_t sequence, const Block& block, Kind kind = Kind::broadcast) {
    return pushReference(sender, receiver, sequence, block, kind);
  }
};

}  // namespace

TEST_CASE("references: a message is read from the sender's outbox and then given back", "[mailbox]") {
  Pair pair;
  Random random;
  const Bytes bytes = random.bytes(20'000);
  const Block block = pair.commit(1, bytes);
  CHECK(block.share(0) == Share::owed);
  CHECK(block.share(2) == Share::withdrawn);  // was never an addressee
  REQUIRE(pair.refer(1, block) == PushResult::pushed);
  const Received received = take(pair.receiver);
  CHECK(received.isMessage());
  CHECK(received.byReference);
  CHECK(received.bytes == bytes);
  CHECK(received.envelope.kind == Kind::broadcast);
  CHECK(block.share(0) == Share::taken);
  CHECK_FALSE(take(pair.receiver).isMessage());
}

// Design §8: one CAS decides between delivery and the sender's timeout.
TEST_CASE("references: what was withdrawn is not delivered and what was claimed is not withdrawn", "[mailbox]") {
  Pair pair;
  const Block first = pair.commit(1, bytesOf("first"), Kind::sendToSync);
  const Block second = pair.commit(2, bytesOf("second"), Kind::sendToSync);
  REQUIRE(pair.refer(1, first, Kind::sendToSync) == PushResult::pushed);
  REQUIRE(pair.refer(2, second, Kind::sendToSync) == PushResult::pushed);
  CHECK(first.settle(0, Share::withdrawn));
  CHECK_FALSE(first.settle(0, Share::withdrawn));
  CHECK(take(pair.receiver).bytes == bytesOf("second"));
  CHECK_FALSE(second.settle(0, Share::withdrawn));
  CHECK(pair.receiver.inbox.pending() == 0);
}

// The same at the closest: the sender withdraws between the receiver's look and its claim.
TEST_CASE("references: what is withdrawn after the look is not delivered", "[mailbox]") {
  Pair pair;
  const Block block = pair.commit(1, bytesOf("too late"), Kind::sendToSync);
  REQUIRE(pair.refer(1, block, Kind::sendToSync) == PushResult::pushed);
  MeddlingSink sink([&] { CHECK(block.settle(0, Share::withdrawn)); });
  Taken taken;
  CHECK(pair.receiver.inbox.take({}, sink, taken) == TakeStatus::nothing);
  CHECK(block.share(0) == Share::withdrawn);
}

// A short synchronous message brings its payload along; the share decides all the same.
TEST_CASE("references: a copy is taken once, whichever record of its block comes first", "[mailbox]") {
  Pair pair;
  const Bytes bytes = bytesOf("a copy of the block");
  const Block first = pair.commit(1, bytes, Kind::sendToSync);
  const Block second = pair.commit(2, bytes, Kind::sendToSync);
  REQUIRE(pushCopy(pair.sender, pair.receiver, 1, first, bytes) == PushResult::pushed);
  REQUIRE(pair.refer(1, first, Kind::sendToSync) == PushResult::pushed);  // as the clean-up does
  REQUIRE(pair.refer(2, second, Kind::sendToSync) == PushResult::pushed);
  REQUIRE(pushCopy(pair.sender, pair.receiver, 2, second, bytes) == PushResult::pushed);
  for (const Block& block : {first, second}) {
    const Received received = take(pair.receiver);
    CHECK(received.byReference);
    CHECK(received.bytes == bytes);
    CHECK(block.share(0) == Share::taken);
    CHECK_FALSE(block.settle(0, Share::withdrawn));
  }
  CHECK_FALSE(take(pair.receiver).isMessage());
  CHECK(pair.receiver.inbox.pending() == 0);
}

TEST_CASE("references: a copy that is withdrawn, before or after the look, is not delivered", "[mailbox]") {
  Pair pair;
  const Bytes bytes = bytesOf("too late");
  const Block early = pair.commit(1, bytes, Kind::sendToSync);
  REQUIRE(pushCopy(pair.sender, pair.receiver, 1, early, bytes) == PushResult::pushed);
  CHECK(early.settle(0, Share::withdrawn));
  CHECK_FALSE(take(pair.receiver).isMessage());

  const Block late = pair.commit(2, bytes, Kind::sendToSync);
  REQUIRE(pushCopy(pair.sender, pair.receiver, 2, late, bytes) == PushResult::pushed);
  MeddlingSink sink([&] { CHECK(late.settle(0, Share::withdrawn)); });
  Taken taken;
  CHECK(pair.receiver.inbox.take({}, sink, taken) == TakeStatus::nothing);
  CHECK(late.share(0) == Share::withdrawn);
  CHECK(pair.receiver.inbox.pending() == 0);
}

TEST_CASE("references: where a copy finds no room, a reference still does", "[mailbox]") {
  Pair pair;
  const Bytes filler(kCarBytes);
  std::uint64_t sequence = 1;
  while (push(pair.sender, pair.receiver, sequence, filler) == PushResult::pushed) ++sequence;
  const Bytes bytes(kCarBytes);
  const Block block = pair.commit(sequence, bytes, Kind::sendToSync);
  CHECK(pushCopy(pair.sender, pair.receiver, sequence, block, bytes) == PushResult::full);
  CHECK(pair.refer(sequence, block, Kind::sendToSync) == PushResult::pushed);
}

TEST_CASE("references: both sides agree on whether a message was delivered", "[mailbox][threads]") {
  const Watchdog watchdog;
  Pair pair;
  constexpr std::uint64_t kRounds = 6000;
  const bool copies = GENERATE(false, true);
  CAPTURE(copies);
  std::atomic<std::uint64_t> pushed{0};   // sequence of the newest message
  std::atomic<std::uint64_t> settled{0};  // how many the receiver has finished with
  std::vector<char> delivered(kRounds + 1, 0);
  std::vector<char> withdrawn(kRounds + 1, 0);
  runTogether(2, [&](int side) {
    for (std::uint64_t sequence = 1; sequence <= kRounds; ++sequence) {
      if (side == 0) {
        const Block block = pair.commit(sequence, bytesOf("m"), Kind::sendToSync);
        if (copies) {
          static_cast<void>(pushCopy(pair.sender, pair.receiver, sequence, block, bytesOf("m")));
        } else {
          static_cast<void>(pair.refer(sequence, block, Kind::sendToSync));
        }
        // From too early to too late, with a race between.
        const std::uint64_t patience = sequence % 64;
        if (patience == 0) withdrawn[sequence] = block.settle(0, Share::withdrawn) ? 1 : 0;
        pushed = sequence;
        for (std::uint64_t i = 0; i < 30 * patience && settled < sequence; ++i) cpuRelax();
        while (patience == 63 && settled < sequence) std::this_thread::yield();
        if (patience != 0) withdrawn[sequence] = block.settle(0, Share::withdrawn) ? 1 : 0;
        Outbox::finish(block);
        while (settled < sequence) std::this_thread::yield();
      } else {
        for (int looks = 0; pushed < sequence; ++looks) looks < 1000 ? cpuRelax() : std::this_thread::yield();
        const Received received = take(pair.receiver);
        if (received.isMessage()) delivered[received.envelope.sequence] = 1;
        settled = sequence;
      }
    }
  });
  std::uint64_t deliveries = 0;
  for (std::uint64_t sequence = 1; sequence <= kRounds; ++sequence) {
    CAPTURE(sequence);
    if (delivered[sequence] + withdrawn[sequence] != 1) FAIL("both or neither");
    deliveries += delivered[sequence] == 0 ? 0U : 1U;
  }
  CAPTURE(deliveries);
  CHECK(deliveries > 0);
  CHECK(deliveries < kRounds);
}

// P5: the clean-up hands a dead sender's broadcast over once more to whoever may lack it.
TEST_CASE("references: a broadcast that came already is not delivered again", "[mailbox]") {
  Pair pair;
  const Block block = pair.commit(5, bytesOf("news"));
  const bool byValue = GENERATE(true, false);
  const bool takenBefore = GENERATE(true, false);
  CAPTURE(byValue, takenBefore);
  REQUIRE((byValue ? push(pair.sender, pair.receiver, 5, bytesOf("news"), Kind::broadcast)
                   : pair.refer(5, block)) == PushResult::pushed);
  if (takenBefore) CHECK(take(pair.receiver).bytes == bytesOf("news"));
  REQUIRE(pair.refer(5, block) == PushResult::pushed);
  REQUIRE(pair.refer(5, block) == PushResult::pushed);
  if (!takenBefore) CHECK(take(pair.receiver).bytes == bytesOf("news"));
  CHECK_FALSE(take(pair.receiver).isMessage());
  CHECK(pair.receiver.inbox.pending() == 0);
  CHECK(block.share(0) == Share::taken);  // so that the block comes free

  // A later one of the same sender is no duplicate.
  const Block next = pair.commit(6, bytesOf("more"));
  REQUIRE(pair.refer(6, next) == PushResult::pushed);
  CHECK(take(pair.receiver).bytes == bytesOf("more"));
}

TEST_CASE("references: the numbers of a slot's former owner do not hide the next owner's broadcasts",
          "[mailbox]") {
  Pair pair;
  REQUIRE(push(pair.sender, pair.receiver, 500, bytesOf("old"), Kind::broadcast) == PushResult::pushed);
  CHECK(take(pair.receiver).bytes == bytesOf("old"));
  pair.group.bury(pair.sender, pair.receiver);
  BareMember& heir = pair.group.join();
  REQUIRE(heir.self.slot == pair.sender.self.slot);
  const Block block = commitBlock(heir, 1, bytesOf("new"), pair.addressees);
  REQUIRE(pushReference(heir, pair.receiver, 1, block) == PushResult::pushed);
  CHECK(take(pair.receiver).bytes == bytesOf("new"));
}

// Positions never repeat: a stale record does not deliver what lies in its block now.
TEST_CASE("references: a record that outlived its block is dropped", "[mailbox]") {
  Pair pair;
  const Block old = pair.commit(1, bytesOf("old"), Kind::sendToSync);
  REQUIRE(pair.refer(1, old, Kind::sendToSync) == PushResult::pushed);
  REQUIRE(old.settle(0, Share::withdrawn));
  Outbox::finish(old);
  std::uint64_t sequence = 1;
  for (std::uint64_t i = 1; i < kOutboxBlocks; ++i) Outbox::finish(pair.commit(++sequence, {}));
  const Block reused = pair.commit(++sequence, bytesOf("present"), Kind::sendToSync);
  REQUIRE(&reused.header() == &old.header());
  REQUIRE(pair.refer(sequence, reused, Kind::sendToSync) == PushResult::pushed);
  CHECK(old.share(0) == Share::withdrawn);
  CHECK_FALSE(old.settle(0, Share::claimed));

  const Received received = take(pair.receiver);
  CHECK(received.envelope.sequence == sequence);
  CHECK(received.bytes == bytesOf("present"));
  CHECK_FALSE(take(pair.receiver).isMessage());
}

TEST_CASE("references: a buffer too small claims nothing", "[mailbox]") {
  Pair pair;
  const Block block = pair.commit(1, Bytes(100), Kind::sendToSync);
  if (GENERATE(false, true)) {
    REQUIRE(pushCopy(pair.sender, pair.receiver, 1, block, Bytes(100)) == PushResult::pushed);
  } else {
    REQUIRE(pair.refer(1, block, Kind::sendToSync) == PushResult::pushed);
  }
  SmallSink small(99);
  Taken taken;
  CHECK_THROWS_AS(pair.receiver.inbox.take({}, small, taken), SmallSink::TooSmall);
  CHECK(block.share(0) == Share::owed);
  SECTION("and is not asked for any more once the message is withdrawn") {
    CHECK(block.settle(0, Share::withdrawn));
    CHECK(pair.receiver.inbox.take({}, small, taken) == TakeStatus::nothing);
  }
  SECTION("so it can still be taken") { CHECK(take(pair.receiver).isMessage()); }
  SECTION("or withdrawn") {
    CHECK(block.settle(0, Share::withdrawn));
    CHECK_FALSE(take(pair.receiver).isMessage());
  }
}

// P6.
TEST_CASE("references: a garbage block is corrupt and not read", "[mailbox]") {
  Pair pair;
  const Block block = pair.commit(1, Bytes(100));
  const std::uint32_t length = block.header().length;
  SECTION("its length contradicts the record") { block.header().length = 101; }
  SECTION("its length is beyond any message") { block.header().length = 0xffffffff; }
  SECTION("its payload is said to lie across the end of the area") {
    block.header().payloadAt = pair.sender.segment->geometry().outboxBytes - 50;
  }
  REQUIRE(mailboxOf(pair.receiver, pair.sender)
              .pushReference(envelopeOf(pair.sender.self, 1, Kind::broadcast), block.position(), length, soon()) ==
          PushResult::pushed);
  CHECK(take(pair.receiver).status == TakeStatus::corrupt);
  CHECK(block.share(0) == Share::taken);
  // The mailbox goes on.
  REQUIRE(push(pair.sender, pair.receiver, 2, bytesOf("fine")) == PushResult::pushed);
  CHECK(take(pair.receiver).bytes == bytesOf("fine"));
}

TEST_CASE("references: a reference to nowhere is dropped", "[mailbox]") {
  Pair pair;
  const std::uint64_t position = GENERATE(0U, 63U, 64U, 12345U);
  REQUIRE(mailboxOf(pair.receiver, pair.sender)
              .pushReference(envelopeOf(pair.sender.self, 1, Kind::broadcast), position, 10, soon()) ==
          PushResult::pushed);
  REQUIRE(mailboxOf(pair.receiver, pair.sender)
              .pushReference(envelopeOf(pair.sender.self, 2, Kind::broadcast), ~position, 10, soon()) ==
          PushResult::pushed);
  CHECK(take(pair.receiver).status == TakeStatus::nothing);
  CHECK(pair.receiver.inbox.pending() == 0);
}
