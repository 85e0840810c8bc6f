#include "ipc/mailbox/inbox.hpp"

#include <deque>
#include <ronde/error.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"
#include "tests/support/random.hpp"
#include "tests/support/stub_oracle.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("inbox: news are seen from where the last look ended", "[mailbox]") {
  const BareGroup group(2);
  BareMember& owner = group[0];
  const std::uint64_t first = take(owner).lookedUpTo;
  CHECK_FALSE(owner.inbox.hasNews(first));
  REQUIRE(push(group[1], owner, 1, bytesOf("a")) == PushResult::pushed);
  CHECK(owner.inbox.hasNews(first));

  // A look that wants something else goes past it.
  const std::uint64_t second = take(owner, {false, group[1].self, Kind::sendToSync}).lookedUpTo;
  CHECK_FALSE(owner.inbox.hasNews(second));
  CHECK(owner.inbox.hasNews(first));
  CHECK(owner.inbox.pending() == 1);

  // Also when another thread took the news and the cell is in use again, a whole ring later.
  for (std::uint64_t i = 0; i < 64; ++i) {
    REQUIRE(push(group[1], owner, 2 + i, {}) == PushResult::pushed);
    REQUIRE(take(owner).isMessage());
  }
  CHECK(owner.inbox.hasNews(first));
}

// Design §6: a record is taken from the middle without losing or reordering the rest.
TEST_CASE("inbox: taking from the middle keeps the order of the rest and gives room back in order", "[mailbox]") {
  const BareGroup group(3);
  BareMember& owner = group[0];
  const MailboxState& state = owner.segment->mailbox(0);
  const std::uint64_t head = state.head.load();
  for (std::uint64_t i = 1; i <= 9; ++i) {
    REQUIRE(push(group[1 + i % 2], owner, i, bytesOf(std::to_string(i)),
                 i % 3 == 0 ? Kind::sendToSync : Kind::sendTo) == PushResult::pushed);
  }
  const Wanted wanted{false, group[2].self, Kind::sendToSync};
  CHECK(take(owner, wanted).bytes == bytesOf("3"));
  CHECK(take(owner, wanted).bytes == bytesOf("9"));
  CHECK(take(owner, wanted).status == TakeStatus::nothing);
  CHECK(state.head == head);
  CHECK(owner.inbox.pending() == 7);
  for (const char* text : {"1", "2", "4", "5", "6", "7", "8"}) CHECK(take(owner).bytes == bytesOf(text));
  CHECK(state.head == head + 9);
  CHECK(owner.inbox.pending() == 0);
}

// A handle of an earlier incarnation must not be taken for the present one.
TEST_CASE("inbox: a wanted sender means its incarnation", "[mailbox]") {
  const BareGroup group(2);
  REQUIRE(push(group[1], group[0], 1, {}, Kind::sendToSync) == PushResult::pushed);
  const Member former{group[1].self.slot, group[1].self.incarnation + 1};
  CHECK_FALSE(take(group[0], {false, former, Kind::sendToSync}).isMessage());
  CHECK_FALSE(take(group[0], {false, group[1].self, Kind::broadcastSync}).isMessage());
  CHECK(take(group[0], {false, group[1].self, Kind::sendToSync}).isMessage());
}

// receiveInto: a buffer that is too small leaves the message where it is.
TEST_CASE("inbox: a sink that refuses leaves the message in place", "[mailbox]") {
  const BareGroup group(2);
  BareMember& owner = group[0];
  const std::size_t size = GENERATE(10U, 100U);  // in the cell, in the area
  const Bytes bytes(size, std::byte{7});
  REQUIRE(push(group[1], owner, 1, bytes) == PushResult::pushed);
  Taken taken;
  SmallSink small(size - 1);
  CHECK_THROWS_AS(owner.inbox.take({}, small, taken), SmallSink::TooSmall);
  CHECK(owner.inbox.pending() == 1);
  CHECK(take(owner).bytes == bytes);
}

TEST_CASE("inbox: a new owner of a slot does not find the mail of the former", "[mailbox]") {
  BareGroup group(3);
  REQUIRE(push(group[1], group[0], 1, Bytes(500)) == PushResult::pushed);
  REQUIRE(push(group[1], group[0], 2, {}) == PushResult::pushed);
  // And a producer that died after its commit has left one more, which no tail tells of.
  MailboxState& state = group.segment().mailbox(0);
  const std::uint64_t tail = state.tail.load();
  REQUIRE(push(group[1], group[0], 3, Bytes(100)) == PushResult::pushed);
  state.tail.store(tail);
  group.bury(group[0], group[1]);

  BareMember& heir = group.join();
  REQUIRE(heir.self.slot == 0);
  REQUIRE(heir.self.incarnation == group[0].self.incarnation + 1);
  CHECK_FALSE(take(heir).isMessage());
  CHECK(push(group[1], group[0], 4, {}) == PushResult::refused);
  REQUIRE(push(group[1], heir, 5, bytesOf("for the heir")) == PushResult::pushed);
  CHECK(take(heir).bytes == bytesOf("for the heir"));
  CHECK_FALSE(take(heir).isMessage());
}

namespace {

Bytes trainOf(Random& random, std::size_t parts) {
  return random.bytes((parts - 1) * kCarBytes + 1 + random.below(kCarBytes));
}

}  // namespace

// Design §6: a message is delivered whole or not at all, and trains of several senders share the mailbox.
TEST_CASE("inbox: trains are put together while others run between their parts", "[mailbox]") {
  Random random;
  CAPTURE(random.seed());
  const BareGroup group(4);
  BareMember& owner = group[0];
  /// What each sender is in the middle of.
  struct Train {
    std::uint64_t sequence = 0;
    Bytes bytes;
    std::size_t next = 0;
  };
  std::vector<Train> trains(4);
  std::deque<std::pair<std::uint64_t, Bytes>> model;  // in the order in which their last parts were pushed
  std::uint64_t sequence = 0;
  std::uint64_t given = 0;
  for (int step = 0; step < 6000; ++step) {
    const std::size_t who = 1 + random.below(3);
    Train& train = trains[who];
    if (random.oneIn(3)) {
      const Received received = take(owner);
      REQUIRE(received.status != TakeStatus::corrupt);
      if (!received.isMessage()) {
        REQUIRE(model.empty());
        continue;
      }
      REQUIRE_FALSE(model.empty());
      REQUIRE(received.envelope.sequence == model.front().first);
      REQUIRE(received.bytes == model.front().second);
      model.pop_front();
      ++given;
      continue;
    }
    if (train.bytes.empty() || random.oneIn(15)) {  // the second: a train is given up half-way
      train = {++sequence, trainOf(random, 1 + random.below(4)), 0};
    }
    if (random.oneIn(10) && push(group[who], owner, ++sequence, bytesOf("whole")) == PushResult::pushed) {
      model.emplace_back(sequence, bytesOf("whole"));
      continue;
    }
    if (pushPart(group[who], owner, train.sequence, train.bytes, train.next) != PushResult::pushed) continue;
    if (++train.next * kCarBytes < train.bytes.size()) continue;
    model.emplace_back(train.sequence, std::move(train.bytes));
    train = {};
  }
  CHECK(given > 300);
}

TEST_CASE("inbox: a train longer than the mailbox arrives while it is being sent", "[mailbox]") {
  Random random;
  CAPTURE(random.seed());
  Options options = scratchOptions();
  options.maxMessage = 1024 * 1024;
  const BareGroup group(2, options);
  const Bytes bytes = random.bytes(options.maxMessage);
  for (std::size_t part = 0; part < bytes.size() / kCarBytes; ++part) {
    if (pushPart(group[1], group[0], 1, bytes, part) == PushResult::pushed) continue;
    CHECK_FALSE(take(group[0]).isMessage());  // takes what is there, and so makes room
    REQUIRE(pushPart(group[1], group[0], 1, bytes, part) == PushResult::pushed);
  }
  CHECK(take(group[0]).bytes == bytes);
}

// P2: a sender that dies in the middle of a train has sent nothing.
TEST_CASE("inbox: a train without an end is never delivered and its successor is", "[mailbox]") {
  Random random;
  CAPTURE(random.seed());
  BareGroup group(3);
  BareMember& owner = group[0];
  const Bytes lost = trainOf(random, 3);
  const Bytes found = trainOf(random, 2);
  REQUIRE(pushPart(group[1], owner, 7, lost, 0) == PushResult::pushed);
  REQUIRE(pushPart(group[1], owner, 7, lost, 1) == PushResult::pushed);
  if (GENERATE(false, true)) CHECK_FALSE(take(owner).isMessage());

  SECTION("the same sender begins another") {
    REQUIRE(pushPart(group[1], owner, 8, found, 0) == PushResult::pushed);
    REQUIRE(pushPart(group[1], owner, 8, found, 1) == PushResult::pushed);
  }
  SECTION("the next owner of its slot sends one with the same number") {
    group.bury(group[1], group[2]);
    BareMember& heir = group.join();
    REQUIRE(heir.self.slot == 1);
    REQUIRE(pushPart(heir, owner, 7, lost, 2) == PushResult::pushed);  // no end of the dead one's train
    CHECK_FALSE(take(owner).isMessage());
    REQUIRE(pushPart(heir, owner, 7, found, 0) == PushResult::pushed);
    REQUIRE(pushPart(heir, owner, 7, found, 1) == PushResult::pushed);
  }
  CHECK(take(owner).bytes == found);
  CHECK_FALSE(take(owner).isMessage());
  CHECK(owner.inbox.pending() == 0);
}

TEST_CASE("inbox: a buffer too small for a train leaves its last part and so all of it", "[mailbox]") {
  Random random;
  CAPTURE(random.seed());
  const BareGroup group(2);
  BareMember& owner = group[0];
  const std::size_t parts = GENERATE(1U, 3U);
  const Bytes bytes = trainOf(random, parts);
  for (std::size_t part = 0; part < parts; ++part) {
    REQUIRE(pushPart(group[1], owner, 1, bytes, part) == PushResult::pushed);
  }
  REQUIRE(push(group[1], owner, 2, bytesOf("next")) == PushResult::pushed);
  Taken taken;
  for (int i = 0; i < 3; ++i) {
    SmallSink small(bytes.size() - 1);
    CHECK_THROWS_AS(owner.inbox.take({}, small, taken), SmallSink::TooSmall);
    CHECK(owner.inbox.pending() == parts + 1);
  }
  SmallSink exact(bytes.size());
  CHECK(owner.inbox.take({}, exact, taken) == TakeStatus::taken);
  CHECK(exact.content == bytes);
  CHECK(take(owner).bytes == bytesOf("next"));
}

// P1: the constructor does not wait for ever for a lock of somebody stopped.
TEST_CASE("inbox: a mailbox whose lock a dead member left is taken over", "[mailbox]") {
  BareGroup group(3);
  BareMember& owner = group[0];
  REQUIRE(push(group[1], owner, 1, {}) == PushResult::pushed);
  group[1].dieHolding(owner.segment->mailbox(0).producers);
  Inbox fresh(*owner.segment, owner.self, owner.liveness, soon());
  ByteSink sink;
  Taken taken;
  CHECK(fresh.take({}, sink, taken) == TakeStatus::nothing);
  CHECK(wordOf(owner.segment->mailbox(0).producers).load() == 0);
}
