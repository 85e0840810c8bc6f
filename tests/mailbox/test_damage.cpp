// P6: garbage in a mailbox or outbox never crashes, hangs or overruns the survivors, and costs mail at most.

#include <cstring>

#include "ipc/mailbox/inbox.hpp"
#include "ipc/mailbox/outbox.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"
#include "tests/support/random.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

MailCell& nextCell(const BareMember& owner) {
  return owner.segment->mailCells(owner.self.slot)[owner.segment->mailbox(owner.self.slot).tail.load() % 64];
}

/// Takes until nothing is left. True if the mailbox said that it was corrupt.
bool drain(BareMember& owner) {
  bool corrupt = false;
  for (int i = 0; i < 1000; ++i) {
    const Received received = take(owner);
    if (received.status == TakeStatus::nothing) return corrupt;
    corrupt = corrupt || received.status == TakeStatus::corrupt;
  }
  FAIL("an endless mailbox");
  return corrupt;
}

/// Whether `owner` gets what is sent from now on, for two rounds of the ring and of the area.
bool works(BareMember& sender, BareMember& owner) {
  static std::uint64_t sequence = 1'000'000;
  for (int i = 0; i < 150; ++i) {
    const Bytes bytes(i % 3 == 0 ? 10 : 1000, static_cast<std::byte>(i));
    if (push(sender, owner, ++sequence, bytes) != PushResult::pushed) return false;
    const Received received = take(owner);
    if (received.bytes != bytes || received.envelope.sequence != sequence) return false;
  }
  return true;
}

/// Whether the mailbox goes on at the latest after as many messages as it has places: those may be lost.
bool recovers(BareMember& sender, BareMember& owner) {
  for (int tries = 0; tries < 100; ++tries) {
    if (works(sender, owner)) return true;
    drain(owner);
  }
  return false;
}

}  // namespace

TEST_CASE("damage: every field of a record that no member writes so is found and the mailbox goes on",
          "[mailbox]") {
  struct Damage {
    const char* field;
    void (*apply)(MailCell& cell);
    std::size_t size;  // of the message that is damaged
  };
  const auto damage =
      GENERATE(Damage{"sender: no such slot", [](MailCell& cell) { cell.sender = 16; }, 8},
               Damage{"sender: far off", [](MailCell& cell) { cell.sender = 65535; }, 8},
               Damage{"incarnation: nobody", [](MailCell& cell) { cell.incarnation = 0; }, 8},
               Damage{"stamp: would overflow the clock", [](MailCell& cell) { cell.stamp = ~0ULL; }, 8},
               Damage{"stamp: the first illegal", [](MailCell& cell) { cell.stamp = 1ULL << 62; }, 8},
               Damage{"kind: none", [](MailCell& cell) { cell.kind = 0; }, 8},
               Damage{"kind: unknown", [](MailCell& cell) { cell.kind = 6; }, 8},
               Damage{"form: none", [](MailCell& cell) { cell.form = static_cast<CellForm>(0); }, 8},
               Damage{"form: unknown", [](MailCell& cell) { cell.form = static_cast<CellForm>(200); }, 8},
               Damage{"length: beyond the cell", [](MailCell& cell) { cell.length = 17; }, 8},
               Damage{"length: beyond a part", [](MailCell& cell) { cell.length = kCarBytes + 1; }, 500},
               Damage{"length: huge", [](MailCell& cell) { cell.length = ~0U; }, 500},
               Damage{"length: of a reference beyond any message",
                      [](MailCell& cell) {
                        cell.form = CellForm::reference;
                        cell.length = 64 * 1024 + 1;
                      },
                      8},
               Damage{"extent: not at a line", [](MailCell& cell) { cell.extent += 1; }, 500},
               Damage{"extent: given back already", [](MailCell& cell) { cell.extent -= 64; }, 500},
               Damage{"extent: beyond the area", [](MailCell& cell) { cell.extent += 64 * 1024; }, 500},
               Damage{"extent: huge", [](MailCell& cell) { cell.extent = ~0ULL & ~63ULL; }, 500},
               Damage{"extent: across the end",
                      [](MailCell& cell) {
                        cell.extent = (cell.extent / 65536 + 1) * 65536 - 64;
                        cell.length = 65;
                      },
                      500},
               Damage{"train: longer than any message",
                      [](MailCell& cell) {
                        cell.form = CellForm::car;
                        const TrainPart part{64 * 1024 + 1, 0, 0};
                        std::memcpy(cell.inlineBytes, &part, sizeof(part));
                      },
                      500},
               Damage{"train: a part beyond its end",
                      [](MailCell& cell) {
                        cell.form = CellForm::car;
                        const TrainPart part{600, 200, 0};
                        std::memcpy(cell.inlineBytes, &part, sizeof(part));
                      },
                      500},
               Damage{"train: a part whose end wraps",
                      [](MailCell& cell) {
                        cell.form = CellForm::car;
                        const TrainPart part{1000, ~0U - 100, 0};
                        std::memcpy(cell.inlineBytes, &part, sizeof(part));
                      },
                      500});
  CAPTURE(damage.field);
  const BareGroup group(3);
  BareMember& owner = group[0];
  REQUIRE(push(group[1], owner, 1, bytesOf("before")) == PushResult::pushed);
  MailCell& cell = nextCell(owner);
  REQUIRE(push(group[1], owner, 2, Bytes(damage.size)) == PushResult::pushed);
  damage.apply(cell);
  REQUIRE(push(group[1], owner, 3, bytesOf("behind")) == PushResult::pushed);

  CHECK(take(owner).bytes == bytesOf("before"));  // what is whole before it is delivered
  CHECK(take(owner).status == TakeStatus::corrupt);
  CHECK(take(owner).status == TakeStatus::nothing);
  CHECK(works(group[2], owner));
}

// A look that wants something else must not trust a damaged record either.
TEST_CASE("damage: it is found by a selective look as well", "[mailbox]") {
  const BareGroup group(2);
  MailCell& cell = nextCell(group[0]);
  REQUIRE(push(group[1], group[0], 1, {}) == PushResult::pushed);
  cell.form = static_cast<CellForm>(9);
  CHECK(take(group[0], {false, group[1].self, Kind::sendToSync}).status == TakeStatus::corrupt);
  CHECK(works(group[1], group[0]));
}

// P6: a record is fetched once. What is written into it after it was checked changes nothing.
TEST_CASE("damage: a record that changes after it was checked is taken as it was", "[mailbox]") {
  const BareGroup group(2);
  const Bytes bytes(GENERATE(std::size_t{9}, std::size_t{300}), std::byte{5});
  REQUIRE(push(group[1], group[0], 1, bytes) == PushResult::pushed);
  MailCell& cell = group.segment().mailCells(0)[group.segment().mailbox(0).head.load() % 64];
  MeddlingSink sink([&] {
    cell.length = 1;
    cell.sender = 0xffff;
    cell.sequence = 77;
  });
  Taken taken;
  REQUIRE(group[0].inbox.take({}, sink, taken) == TakeStatus::taken);
  CHECK(taken.length == bytes.size());
  CHECK(taken.envelope.sender == group[1].self);
  CHECK(taken.envelope.sequence == 1);
  CHECK(sink.content == bytes);
}

// An extent that is plausible, but wrong, moves the end of what is given back in front of what is in use.
TEST_CASE("damage: a plausible but wrong extent does not disable the mailbox", "[mailbox]") {
  const Watchdog watchdog;
  const BareGroup group(3);
  BareMember& owner = group[0];
  MailCell& cell = nextCell(owner);
  REQUIRE(push(group[1], owner, 1, Bytes(500)) == PushResult::pushed);
  cell.extent += 32 * 1024;
  // The ring is filled up, so that producers look at the owner's words again.
  std::uint64_t sequence = 1;
  while (push(group[1], owner, ++sequence, {}) == PushResult::pushed) REQUIRE(sequence < 100);
  drain(owner);
  CHECK(recovers(group[2], owner));
}

TEST_CASE("damage: random records crash nobody and the mailbox goes on", "[mailbox]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  const BareGroup group(3);
  BareMember& owner = group[0];
  std::uint64_t sequence = 0;
  int corrupt = 0;
  for (int round = 0; round < 1500; ++round) {
    for (std::uint64_t i = random.below(8); i > 0; --i) {
      static_cast<void>(push(group[1], owner, ++sequence, random.bytes(random.below(2000))));
    }
    for (std::uint64_t i = 1 + random.below(3); i > 0; --i) {
      MailCell& cell = owner.segment->mailCells(0)[random.below(64)];
      const std::uint64_t commit = cell.commit.load();
      const Bytes garbage = random.bytes(sizeof(cell));
      std::memcpy(static_cast<void*>(&cell), garbage.data(), sizeof(cell));
      if (!random.oneIn(4)) cell.commit.store(commit);  // or nobody would look at it
      if (random.oneIn(2)) cell.form = static_cast<CellForm>(1 + random.below(5));
      if (random.oneIn(2)) cell.length = static_cast<std::uint32_t>(random.below(2 * kCarBytes));
      if (random.oneIn(2)) {
        cell.sender = static_cast<std::uint16_t>(random.below(16));
        cell.kind = static_cast<std::uint8_t>(1 + random.below(5));
        cell.stamp &= 0xffffff;
        cell.extent = owner.segment->mailbox(0).headByte.load() + 64 * random.below(2048);
      }
    }
    corrupt += drain(owner) ? 1 : 0;
    CAPTURE(round);
    REQUIRE(recovers(group[2], owner));
  }
  CHECK(corrupt > 20);  // or the run showed little
}

// The positions themselves. Producers are told, the owner empties the mailbox at its next look, all goes on.
TEST_CASE("damage: random positions crash nobody and the mailbox goes on", "[mailbox]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  for (int round = 0; round < 300; ++round) {
    const BareGroup group(3);
    BareMember& owner = group[0];
    MailboxState& state = owner.segment->mailbox(0);
    std::uint64_t sequence = 0;
    for (std::uint64_t i = random.below(64); i > 0; --i) {
      static_cast<void>(push(group[1], owner, ++sequence, random.bytes(random.below(2000))));
    }
    std::uint64_t value = random.word();
    if (random.oneIn(2)) value = random.below(200'000);
    if (random.oneIn(4)) value = state.tail.load() + random.below(200);
    const std::uint64_t which = random.below(7);
    CAPTURE(round, which, value);
    switch (which) {
      case 0: state.tail.store(value); break;
      case 1: state.tailByte.store(value); break;
      case 2: state.knownHead = value; break;
      case 3: state.knownHeadByte = value; break;
      case 4: state.head.store(value); break;
      case 5: state.headByte.store(value); break;
      default: std::memset(static_cast<void*>(&state), static_cast<int>(value), sizeof(state));
    }
    for (int i = 0; i < 80; ++i) {
      static_cast<void>(mailboxOf(owner, group[1]).looksRoomy(CellForm::area, random.below(kCarBytes)));
      static_cast<void>(push(group[1], owner, ++sequence, random.bytes(random.below(2000))));
    }
    static_cast<void>(owner.inbox.pending());
    drain(owner);
    REQUIRE(recovers(group[2], owner));
  }
}

TEST_CASE("damage: positions just before they wrap do not make unused cells look committed", "[mailbox]") {
  const BareGroup group(2);
  BareMember& owner = group[0];
  MailboxState& state = owner.segment->mailbox(0);
  state.tail.store(~0ULL - GENERATE(0U, 1U, 30U));
  state.complaint.store(1);
  CHECK(drain(owner));
  CHECK(recovers(group[1], owner));
}

TEST_CASE("damage: random bytes in an outbox crash neither receivers nor cleaners", "[mailbox]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  const BareGroup group(3);
  BareMember& sender = group[1];
  BareMember& receiver = group[0];
  const std::array<Member, 2> addressees{receiver.self, group[2].self};
  OutboxState& state = sender.segment->outbox(1);
  const std::size_t blockBytes = sender.segment->geometry().outboxBlockBytes();
  std::uint64_t sequence = 0;
  for (int round = 0; round < 2000; ++round) {
    Outbox outbox(*sender.segment, 1);  // forgets what the round before left
    const Bytes bytes = random.bytes(random.below(5000));
    const auto block = outbox.allocate(static_cast<std::uint32_t>(bytes.size()));
    REQUIRE(block);
    outbox.commit(*block, envelopeOf(sender.self, ++sequence, Kind::broadcast), bytes, addressees);
    REQUIRE(pushReference(sender, receiver, sequence, *block) == PushResult::pushed);
    for (std::uint64_t i = random.below(4); i > 0; --i) {
      sender.segment->outboxBlock(1, block->position())[random.below(blockBytes)] =
          static_cast<std::byte>(random.word());
    }
    const std::uint64_t tail = state.tail.load();
    if (random.oneIn(10)) state.head.store(random.word());
    if (random.oneIn(10)) state.tail.store(random.word());
    std::size_t seen = 0;
    forEachBlock(*sender.segment, 1, [&](const Block& one) {
      ++seen;
      static_cast<void>(payloadOf(*sender.segment, 1, one));
      static_cast<void>(one.share(0));
    });
    REQUIRE(seen <= kOutboxBlocks);
    static_cast<void>(isAnythingOwed(*sender.segment, 1));
    drain(receiver);
    state.tail.store(tail);
  }
  CHECK(works(group[2], receiver));
}
