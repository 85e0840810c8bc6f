#include "ipc/mailbox/outbox.hpp"

#include <deque>

#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"
#include "tests/support/random.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

std::vector<std::uint64_t> positionsIn(const Segment& segment, std::uint32_t slot) {
  std::vector<std::uint64_t> positions;
  forEachBlock(segment, slot, [&](const Block& block) { positions.push_back(block.position()); });
  return positions;
}

}  // namespace

TEST_CASE("outbox: a block is being written until it is committed", "[mailbox]") {
  const BareGroup group(3);
  BareMember& sender = group[1];
  const auto block = sender.outbox.allocate(5);
  REQUIRE(block);
  CHECK(block->phase() == BlockPhase::writing);
  CHECK(positionsIn(group.segment(), 1) == std::vector<std::uint64_t>{block->position()});
  CHECK_FALSE(isAnythingOwed(group.segment(), 1));

  const Bytes bytes = bytesOf("12345");
  const std::array<Member, 2> addressees{group[0].self, group[2].self};
  sender.outbox.commit(*block, envelopeOf(sender.self, 3, Kind::publish), bytes, addressees);
  CHECK(block->phase() == BlockPhase::committed);
  CHECK(block->header().sequence == 3);
  CHECK(block->header().stamp == 1003);
  CHECK(block->header().view == 1);
  CHECK(static_cast<Kind>(block->header().kind) == Kind::publish);
  const auto payload = payloadOf(group.segment(), 1, *block);
  REQUIRE(payload);
  CHECK(Bytes(payload->begin(), payload->end()) == bytes);
  CHECK(block->share(0) == Share::owed);
  CHECK(block->share(1) == Share::withdrawn);
  CHECK(block->share(2) == Share::owed);
  // Of a departed sender, what was not adopted was committed too late.
  CHECK_FALSE(isAnythingOwed(group.segment(), 1));
  REQUIRE(block->advance(BlockPhase::committed, BlockPhase::adopted));
  CHECK(isAnythingOwed(group.segment(), 1));
}

// A block stays until nobody who may still read it is left, and no longer.
TEST_CASE("outbox: a block is owed until each living addressee has it or cannot get it any more", "[mailbox]") {
  const BareGroup group(3);
  BareMember& sender = group[1];
  const std::array<Member, 2> addressees{group[0].self, group[2].self};
  const Block block = commitBlock(sender, 1, Bytes(100), addressees);
  Outbox::finish(block);
  const auto owed = [&] { return isAnythingOwed(group.segment(), 1); };
  CHECK(sender.outbox.slotsInTheWay() == std::vector<std::uint32_t>{0, 2});
  REQUIRE(block.settle(0, Share::claimed));
  CHECK(owed());
  CHECK(sender.outbox.slotsInTheWay() == std::vector<std::uint32_t>{0, 2});  // it is copying
  block.giveBack(0);
  CHECK(sender.outbox.slotsInTheWay() == std::vector<std::uint32_t>{2});
  CHECK(owed());
  SECTION("the last one takes it") {
    REQUIRE(block.settle(2, Share::claimed));
    block.giveBack(2);
  }
  SECTION("it is withdrawn") { REQUIRE(block.settle(2, Share::withdrawn)); }
  SECTION("the last one departs") { group[2].setPhase(Phase::departed, Departure::died); }
  SECTION("the last one's slot has a member that came after the message") { group[2].table().joinedView.store(2); }
  CHECK_FALSE(owed());
  CHECK(sender.outbox.slotsInTheWay().empty());
}

TEST_CASE("outbox: blocks come free in order and only when done or taken by all", "[mailbox]") {
  const BareGroup group(2);
  BareMember& sender = group[1];
  const std::array<Member, 1> addressees{group[0].self};
  std::vector<Block> blocks;
  for (std::uint64_t i = 0; i < kOutboxBlocks; ++i) blocks.push_back(commitBlock(sender, i + 1, {}, addressees));
  CHECK_FALSE(sender.outbox.allocate(0));
  CHECK(sender.outbox.slotsInTheWay() == std::vector<std::uint32_t>{0});

  REQUIRE(blocks[1].settle(0, Share::taken));
  Outbox::finish(blocks[1]);  // the first is in its way
  CHECK_FALSE(sender.outbox.allocate(0));
  REQUIRE(blocks[0].settle(0, Share::taken));
  CHECK_FALSE(sender.outbox.allocate(0));  // taken, but the sender is still handing it over
  Outbox::finish(blocks[0]);
  CHECK(sender.outbox.allocate(0));
  CHECK(sender.outbox.allocate(0));
  CHECK_FALSE(sender.outbox.allocate(0));
}

TEST_CASE("outbox: the largest message fits whenever the outbox is empty", "[mailbox]") {
  Random random;
  CAPTURE(random.seed());
  const BareGroup group(2);
  BareMember& sender = group[1];
  const auto largest = static_cast<std::uint32_t>(group.segment().geometry().maxMessage);
  for (int i = 0; i < 300; ++i) {
    const auto small = sender.outbox.allocate(static_cast<std::uint32_t>(random.below(5000)));
    REQUIRE(small);
    sender.outbox.commit(*small, envelopeOf(sender.self, 1, Kind::publish), {}, {});
    Outbox::finish(*small);
    const auto large = sender.outbox.allocate(largest);
    REQUIRE(large);
    CHECK_FALSE(sender.outbox.allocate(1));
    sender.outbox.commit(*large, envelopeOf(sender.self, 1, Kind::publish), {}, {});
    Outbox::finish(*large);
  }
}

// Two living messages never share a byte, wherever the ring wraps.
TEST_CASE("outbox: random messages keep their bytes until they are done", "[mailbox]") {
  Random random;
  CAPTURE(random.seed());
  const BareGroup group(2);
  BareMember& sender = group[1];
  std::deque<std::pair<Block, Bytes>> living;  // oldest first
  std::vector<std::size_t> done;
  std::uint64_t sequence = 0;
  int refused = 0;
  for (int step = 0; step < 10'000; ++step) {
    if (random.oneIn(2)) {
      const Bytes bytes = random.bytes(random.below(random.oneIn(10) ? 30'000 : 2000));
      const auto block = sender.outbox.allocate(static_cast<std::uint32_t>(bytes.size()));
      if (!block) {
        REQUIRE_FALSE(living.empty());
        ++refused;
        continue;
      }
      sender.outbox.commit(*block, envelopeOf(sender.self, ++sequence), bytes, {});
      living.emplace_back(*block, bytes);
    } else if (!living.empty()) {
      // Any of them may be finished first; its room comes back later.
      const std::size_t which = random.below(std::min<std::size_t>(living.size(), 3));
      const auto& [block, bytes] = living[which];
      const auto payload = payloadOf(group.segment(), 1, block);
      REQUIRE(payload);
      REQUIRE(std::equal(payload->begin(), payload->end(), bytes.begin(), bytes.end()));
      Outbox::finish(block);
      living.erase(living.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }
  CHECK(refused > 10);
}

// What a dead owner left is not the next owner's; its positions are never used again.
TEST_CASE("outbox: the next owner of a slot begins empty and behind the last position", "[mailbox]") {
  const BareGroup group(2);
  const std::array<Member, 1> addressees{group[0].self};
  const Block old = commitBlock(group[1], 1, Bytes(10), addressees);
  Outbox heir(group.segment(), 1);
  CHECK(positionsIn(group.segment(), 1).empty());
  CHECK_FALSE(isAnythingOwed(group.segment(), 1));
  const auto block = heir.allocate(10);
  REQUIRE(block);
  CHECK(block->position() > old.position());
}
