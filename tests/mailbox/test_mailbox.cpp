#include "ipc/mailbox/mailbox.hpp"

#include <cstring>
#include <deque>
#include <map>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"
#include "tests/support/random.hpp"
#include "tests/support/stub_oracle.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

/// What a mailbox is: a queue in which a message may be taken from the middle, with so many places and bytes.
class Model {
 public:
  struct Entry {
    Member sender;
    std::uint64_t sequence;
    Kind kind;
    Bytes bytes;
    bool taken = false;
  };

  Model(std::size_t places, std::size_t bytes) : places_(places), bytes_(bytes) {}

  [[nodiscard]] bool mustFit(std::size_t size) const {
    // A message lies in one piece, so a gap of at most its own size may be lost at the end of the area.
    return entries_.size() < places_ && (areaOf(size) == 0 || used() + areaOf(size) + kCarBytes <= bytes_);
  }
  [[nodiscard]] bool mustNotFit(std::size_t size) const {
    return entries_.size() >= places_ || used() + areaOf(size) > bytes_;
  }
  void push(Entry entry) { entries_.push_back(std::move(entry)); }
  std::optional<Entry> take(const Wanted& wanted) {
    for (Entry& entry : entries_) {
      if (entry.taken || (!wanted.anything && (entry.sender != wanted.from || entry.kind != wanted.kind)))
        continue;
      entry.taken = true;
      const Entry result = entry;
      // Room comes back in order only.
      while (!entries_.empty() && entries_.front().taken) entries_.pop_front();
      return result;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::size_t pending() const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const Entry& entry) { return !entry.taken; }));
  }

 private:
  static std::size_t areaOf(std::size_t size) { return size <= 16 ? 0 : (size + 63) / 64 * 64; }
  [[nodiscard]] std::size_t used() const {
    std::size_t sum = 0;
    for (const Entry& entry : entries_) sum += areaOf(entry.bytes.size());
    return sum;
  }

  std::size_t places_;
  std::size_t bytes_;
  std::deque<Entry> entries_;
};

std::size_t randomSize(Random& random) {
  switch (random.below(4)) {
    case 0: return random.below(18);
    case 1: return random.below(200);
    case 2: return random.below(3000);
    default: return random.below(kCarBytes + 1);
  }
}

/// The producers' words, to be put back as a producer leaves them that dies before it stores them.
struct TailWords {
  explicit TailWords(const BareMember& owner) : state(&owner.segment->mailbox(owner.self.slot)) {}
  void restore() const {
    state->tail.store(tail);
    state->tailByte.store(tailByte);
  }
  MailboxState* state;
  std::uint64_t tail = state->tail.load();
  std::uint64_t tailByte = state->tailByte.load();
};

}  // namespace

// Design §6: one path for all mail, FIFO, and selective receive loses and reorders nothing.
TEST_CASE("mailbox: random operations agree with a queue", "[mailbox]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  const BareGroup group(4);
  BareMember& owner = group[0];
  const std::size_t places = 64 - Mailbox::reservedCells(owner.segment->geometry());
  Model model(places, owner.segment->geometry().mailboxBytes);
  std::uint64_t sequence = 0;
  std::uint64_t fulls = 0;
  for (int step = 0; step < 40'000; ++step) {
    CAPTURE(step);
    const bool filling = step / 500 % 2 == 0;  // tides, so that both ends are reached
    if (random.below(10) < (filling ? 7U : 4U)) {
      BareMember& sender = group[1 + random.below(3)];
      const Kind kind = random.oneIn(4) ? Kind::sendToSync : Kind::sendTo;
      const Bytes bytes = random.bytes(randomSize(random));
      const PushResult result = push(sender, owner, ++sequence, bytes, kind);
      if (model.mustFit(bytes.size()) && result != PushResult::pushed) FAIL("a message that fits was refused");
      if (model.mustNotFit(bytes.size()) && result != PushResult::full) FAIL("a full mailbox took a message");
      if (result == PushResult::pushed) model.push({sender.self, sequence, kind, bytes});
      fulls += result == PushResult::full ? 1 : 0;
    } else {
      Wanted wanted;
      if (random.oneIn(3)) wanted = {false, group[1 + random.below(3)].self, Kind::sendToSync};
      const Received received = take(owner, wanted);
      const auto expected = model.take(wanted);
      REQUIRE(received.isMessage() == expected.has_value());
      if (!expected) continue;
      REQUIRE(received.envelope.sender == expected->sender);
      REQUIRE(received.envelope.sequence == expected->sequence);
      REQUIRE(received.envelope.stamp == 1000 + expected->sequence);
      REQUIRE(received.envelope.kind == expected->kind);
      REQUIRE(received.envelope.view == 1);
      REQUIRE(received.bytes == expected->bytes);
    }
    REQUIRE(owner.inbox.pending() == model.pending());
  }
  CHECK(fulls > 100);  // or the run showed little
}

// Design §6: a full mailbox is said to be full; notices in the sender's outbox always find room.
TEST_CASE("mailbox: references find room when messages have filled the rest", "[mailbox]") {
  const BareGroup group(2);
  BareMember& owner = group[0];
  BareMember& sender = group[1];
  const Mailbox mailbox = mailboxOf(owner, sender);
  std::uint64_t sequence = 0;
  while (push(sender, owner, ++sequence, {}) == PushResult::pushed) REQUIRE(sequence < 100);
  CHECK_FALSE(mailbox.looksRoomy(CellForm::inlined, 0));
  std::uint64_t references = 0;
  while (mailbox.pushReference(envelopeOf(sender.self, ++sequence), 0, 0, soon()) == PushResult::pushed)
    ++references;
  CHECK(references == Mailbox::reservedCells(owner.segment->geometry()));
  CHECK(owner.inbox.pending() == 64);

  mailbox.countRefused();
  CHECK(owner.segment->mailbox(0).refused == 1);
  while (take(owner).status == TakeStatus::taken) {
  }
  CHECK(mailbox.looksRoomy(CellForm::area, kCarBytes));
  CHECK(push(sender, owner, ++sequence, {}) == PushResult::pushed);
}

TEST_CASE("mailbox: a message is placed in one piece and as early as it can", "[mailbox]") {
  Random random;
  CAPTURE(random.seed());
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t size = 64ULL << random.below(8);
    const std::uint64_t tail = random.below(1 << 20);
    const std::uint64_t bytes = random.below(size + 1);
    const std::uint64_t at = placeContiguous(tail, bytes, size);
    REQUIRE(at >= tail);
    REQUIRE(at % size + bytes <= size);
    REQUIRE((at == tail || (at % size == 0 && at - tail < size && tail % size + bytes > size)));
  }
}

// SYNC: departure. Both words are asked again under the lock.
TEST_CASE("mailbox: nothing is pushed to or by somebody who is not active", "[mailbox]") {
  const BareGroup group(3);
  BareMember& owner = group[0];
  BareMember& sender = group[1];
  const auto attempt = [&] { return push(sender, owner, 1, bytesOf("x")); };
  SECTION("the owner departed") { owner.setPhase(Phase::departed, Departure::silent); }
  SECTION("the owner's slot has another owner by now") {
    owner.table().word.store(SlotWord{owner.self.incarnation + 1, Phase::active, {}}.pack());
  }
  SECTION("the owner is only joining") { owner.setPhase(Phase::joining); }
  SECTION("the sender departed") { sender.setPhase(Phase::departed, Departure::silent); }
  SECTION("the sender's slot has another owner by now") {
    sender.table().word.store(SlotWord{sender.self.incarnation + 1, Phase::active, {}}.pack());
  }
  CHECK(attempt() == PushResult::refused);
  CHECK_FALSE(take(owner).isMessage());
  owner.setPhase(Phase::active);
  sender.setPhase(Phase::active);
  CHECK(attempt() == PushResult::pushed);  // the refusal left the lock free and no record
  CHECK(take(owner).bytes == bytesOf("x"));
  CHECK_FALSE(take(owner).isMessage());
}

// P1: the reason is named when the lock is not to be had.
TEST_CASE("mailbox: a push tells a busy lock from a stopped owner of it", "[mailbox]") {
  const BareGroup group(3);
  StubOracle living(OwnerState::alive);
  StubOracle stopped(OwnerState::stopped);
  wordOf(group.segment().mailbox(0).producers).store(SlotLock::ownerWord(group[2].self));
  const auto attempt = [&](OwnerOracle& oracle) {
    return Mailbox(group.segment(), group[0].self, group[1].self, oracle)
        .pushWhole(envelopeOf(group[1].self, 1), {}, atOnce());
  };
  CHECK(attempt(living) == PushResult::noLock);
  CHECK(attempt(stopped) == PushResult::ownerStopped);
  CHECK_FALSE(take(group[0]).isMessage());
}

// P2: a death before the commit leaves nothing.
TEST_CASE("mailbox: a producer that died before its commit leaves no message", "[mailbox]") {
  const BareGroup group(3);
  BareMember& owner = group[0];
  BareMember& victim = group[1];
  REQUIRE(push(group[2], owner, 1, bytesOf("before")) == PushResult::pushed);
  const TailWords words(owner);
  // All of the next record is written but its commit word; its payload lies in the area.
  MailCell& cell = owner.segment->mailCells(0)[words.tail % 64];
  cell.sender = static_cast<std::uint16_t>(victim.self.slot);
  cell.incarnation = victim.self.incarnation;
  cell.kind = static_cast<std::uint8_t>(Kind::sendTo);
  cell.form = CellForm::area;
  cell.length = 300;
  cell.extent = words.tailByte;
  std::memset(owner.segment->mailArea(0) + words.tailByte % 65536, 'v', 300);
  victim.dieHolding(owner.segment->mailbox(0).producers);

  CHECK(take(owner).bytes == bytesOf("before"));
  CHECK_FALSE(take(owner).isMessage());
  const Bytes after(300, std::byte{'a'});
  REQUIRE(push(group[2], owner, 2, after) == PushResult::pushed);
  CHECK(take(owner).bytes == after);
  CHECK_FALSE(take(owner).isMessage());
}

// P2: a death after the commit loses nothing. The words behind it are made up for by the next producer.
TEST_CASE("mailbox: a producer that died after its commit leaves its message whole and once", "[mailbox]") {
  const bool tailByteStored = GENERATE(false, true);
  const bool takenFirst = GENERATE(false, true);
  CAPTURE(tailByteStored, takenFirst);
  BareGroup group(4);
  BareMember& owner = group[0];
  const std::vector<Bytes> payloads{Bytes(5000, std::byte{'1'}), Bytes(3, std::byte{'2'}),
                                    Bytes(700, std::byte{'3'})};

  // Two die in a row, the second after it stepped over the record of the first.
  const TailWords words(owner);
  for (const std::size_t i : {0U, 1U}) {
    BareMember& victim = group[i + 1];
    REQUIRE(push(victim, owner, i + 1, payloads[i]) == PushResult::pushed);
    const std::uint64_t tailByte = words.state->tailByte.load();
    words.restore();
    if (tailByteStored) words.state->tailByte.store(tailByte);
    victim.dieHolding(words.state->producers);
  }
  std::size_t next = 0;
  if (takenFirst) CHECK(take(owner).bytes == payloads[next++]);
  REQUIRE(push(group[3], owner, 3, payloads[2]) == PushResult::pushed);
  for (; next < 3; ++next) {
    const Received received = take(owner);
    CHECK(received.bytes == payloads[next]);
    CHECK(received.envelope.sender == group[next + 1].self);
  }
  CHECK_FALSE(take(owner).isMessage());
  CHECK(words.state->tail == words.tail + 3);
}

// P2 in a random run: producers die at their last instruction but one, again and again, and nothing is lost or
// doubled, also where records wrap around.
TEST_CASE("mailbox: repeated deaths after the commit lose and double nothing", "[mailbox]") {
  Random random;
  CAPTURE(random.seed());
  const BareGroup group(3);
  BareMember& owner = group[0];
  const TailWords any(owner);
  std::deque<Bytes> model;
  for (std::uint64_t sequence = 1; sequence < 3000; ++sequence) {
    const Bytes bytes = random.bytes(randomSize(random));
    const TailWords before(owner);
    if (push(group[1], owner, sequence, bytes) == PushResult::pushed) {
      model.push_back(bytes);
      // The lock word itself is of no interest here: the takeover has tests of its own.
      if (random.oneIn(3)) before.restore();
    }
    while (!model.empty() && random.oneIn(2)) {
      REQUIRE(take(owner).bytes == model.front());
      model.pop_front();
    }
  }
  for (; !model.empty(); model.pop_front()) REQUIRE(take(owner).bytes == model.front());
  CHECK_FALSE(take(owner).isMessage());
}

// FIFO per sender, nothing lost or doubled, whoever pushes and takes at once.
TEST_CASE("mailbox: threads push and take at once and every message arrives in order", "[mailbox][threads]") {
  const Watchdog watchdog;
  const int consumers = GENERATE(1, 2);
  const Random seeds;
  CAPTURE(seeds.seed(), consumers);
  constexpr int kProducers = 3;
  constexpr std::uint64_t kMessages = 1500;
  const BareGroup group(1 + kProducers);
  BareMember& owner = group[0];
  std::atomic<std::uint64_t> arrived{0};
  std::atomic<int> faults{0};
  // A message is its sequence number, repeated.
  const auto messageOf = [](std::uint64_t sequence, std::size_t size) {
    return Bytes(size, static_cast<std::byte>(sequence * 37));
  };
  runTogether(kProducers + consumers, [&](int thread) {
    if (thread < kProducers) {
      Random random(seeds.seed() + static_cast<std::uint64_t>(thread));
      BareMember& self = group[static_cast<std::size_t>(1 + thread)];
      for (std::uint64_t sequence = 1; sequence <= kMessages; ++sequence) {
        const Bytes bytes = messageOf(sequence, randomSize(random));
        while (push(self, owner, sequence, bytes) == PushResult::full) std::this_thread::yield();
      }
      return;
    }
    std::map<std::uint32_t, std::uint64_t> last;
    while (arrived.load() < kProducers * kMessages) {
      const Received received = take(owner);
      if (!received.isMessage()) {
        faults += received.status == TakeStatus::corrupt ? 1 : 0;
        std::this_thread::yield();
        continue;
      }
      ++arrived;
      std::uint64_t& before = last[received.envelope.sender.slot];
      const std::uint64_t sequence = received.envelope.sequence;
      const bool inOrder = consumers == 1 ? sequence == before + 1 : sequence > before;
      if (!inOrder || received.bytes != messageOf(sequence, received.bytes.size())) ++faults;
      before = sequence;
    }
  });
  CHECK(faults == 0);
  CHECK(arrived == kProducers * kMessages);
  CHECK(owner.inbox.pending() == 0);
}
