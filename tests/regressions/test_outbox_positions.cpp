// Found by flipping bits: garbage in the positions of a member's outbox kept its next broadcast busy for ever. It
// gave back what everybody had taken from `head` on until it came to `tail`, both read from the segment, and with
// all blocks handed over nothing else ended that. Remedy: the owner goes by its own positions; those in the
// segment are for readers.

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("garbage in an outbox's positions does not keep its owner from sending (P6)") {
  const Watchdog watchdog;
  const BareGroup group(1);
  BareMember& owner = group[0];
  OutboxState& state = owner.segment->outbox(owner.self.slot);
  // Each block has been in use, and nobody is owed anything.
  for (std::size_t i = 0; i < kOutboxBlocks; ++i) {
    const auto block = owner.outbox.allocate(16);
    REQUIRE(block);
    owner.outbox.commit(*block, {}, {}, {});
    Outbox::finish(*block);
  }
  const std::uint64_t tail = state.tail.load();
  const auto damaged = GENERATE(as<Word64 OutboxState::*>{}, &OutboxState::head, &OutboxState::tail);
  (state.*damaged).fetch_xor(std::uint64_t{1} << 60);
  const auto block = owner.outbox.allocate(16);
  REQUIRE(block);
  CHECK(block->position() == tail);
  CHECK(state.tail.load() == tail + 1);
  CHECK(state.head.load() == tail);
}
