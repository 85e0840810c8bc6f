#include "ipc/segment/layout.hpp"

#include <array>
#include <set>
#include <string_view>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/random.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("layout: a token survives its packing and no field touches another", "[segment]") {
  Random random;
  CAPTURE(random.seed());
  for (int i = 0; i < 10'000; ++i) {
    const Token token{random.below(Token::kMaxFence + 1), static_cast<std::uint32_t>(random.below(2048)),
                      random.oneIn(2), static_cast<std::uint32_t>(random.below(kMaxMembers + 1))};
    const Token again = Token::unpack(token.pack());
    REQUIRE(again.fence == token.fence);
    REQUIRE(again.repair == token.repair);
    REQUIRE(again.held == token.held);
    REQUIRE(again.holder == token.holder);
  }
  // A repair number that wraps must not run into the fence.
  CHECK(Token::unpack(Token{5, 2048, false, 1}.pack()).fence == 5);
  CHECK(Token::unpack(Token{5, 2048, false, 1}.pack()).repair == 0);
  // P3: the words of two grants with the same state compare as their fences do.
  CHECK(Token{6, 0, false, 0}.pack() > Token{5, 2047, true, 512}.pack());
}

TEST_CASE("layout: a slot word survives its packing", "[segment]") {
  for (const std::uint32_t incarnation : {0U, 1U, 77U, 0xffffffffU}) {
    for (const Phase phase : {Phase::free, Phase::joining, Phase::active, Phase::departed}) {
      for (const Departure why : {Departure{}, Departure::left, Departure::died, Departure::silent}) {
        const SlotWord again = SlotWord::unpack(SlotWord{incarnation, phase, why}.pack());
        CHECK(again.incarnation == incarnation);
        CHECK(again.phase == phase);
        CHECK(again.departure == why);
      }
    }
  }
  CHECK(SlotWord{}.pack() == 0);  // all zeroes is a free slot
}

// Positions never repeat, so a share word of an earlier use of the block means nothing.
TEST_CASE("layout: share words of different positions differ", "[segment]") {
  std::set<std::uint32_t> seen;
  for (std::uint64_t position = 0; position < 4 * kOutboxBlocks; ++position) {
    for (const Share share : {Share::withdrawn, Share::owed, Share::claimed, Share::taken}) {
      CHECK(seen.insert(packShare(position, share)).second);
    }
  }
}

TEST_CASE("layout: no part of any geometry overlaps another", "[segment]") {
  Random random;
  CAPTURE(random.seed());
  CHECK(sizeof(SegmentHeader) <= Geometry::kControlAt);
  for (int i = 0; i < 1000; ++i) {
    Geometry geometry;
    geometry.capacity = static_cast<std::uint32_t>(1 + random.below(kMaxMembers));
    geometry.mailboxMessages = 64U << random.below(11);
    geometry.mailboxBytes = (16 + random.below(1000)) * kPage;
    geometry.maxMessage = 1 + random.below(1 << 20);
    geometry.outboxBytes = (16 + random.below(1000)) * kPage;
    REQUIRE(geometry.blocksAt() % kPage == 0);
    REQUIRE(geometry.blocksAt() >= Geometry::kSlotsAt + geometry.capacity * sizeof(SlotTableState));
    REQUIRE(geometry.blockBytes() % kPage == 0);
    const std::size_t parts = sizeof(MailboxState) + geometry.mailboxMessages * sizeof(MailCell) +
                              geometry.mailboxBytes + sizeof(OutboxState) +
                              kOutboxBlocks * geometry.outboxBlockBytes() + geometry.outboxBytes;
    REQUIRE(geometry.blockBytes() >= parts);
    REQUIRE(geometry.outboxBlockBytes() % kLine == 0);
    REQUIRE(geometry.outboxBlockBytes() >= sizeof(BlockHeader) + geometry.capacity * sizeof(ShareWord));
    const auto last = static_cast<std::uint32_t>(geometry.capacity - 1);
    REQUIRE(geometry.blockAt(last) + geometry.blockBytes() == geometry.segmentBytes());
  }
}

TEST_CASE("layout: the checksum is FNV-1a and sees every bit", "[segment]") {
  CHECK(checksum("", 0) == 0xcbf29ce484222325ULL);
  CHECK(checksum("a", 1) == 0xaf63dc4c8601ec8cULL);  // published test vectors
  CHECK(checksum("foobar", 6) == 0x85944171f73967e8ULL);
  CHECK(layoutFingerprint() == layoutFingerprint());
  CHECK(layoutFingerprint() != 0);
}

TEST_CASE("layout: shared copies move every word and nothing behind the last", "[segment]") {
  Random random;
  CAPTURE(random.seed());
  for (std::size_t words = 0; words < 20; ++words) {
    std::vector<std::uint64_t> from(words + 1);
    for (auto& word : from) word = random.word();
    std::vector<std::uint64_t> shared(words + 1, 1);
    std::vector<std::uint64_t> to(words + 1, 2);
    storeShared(shared.data(), from.data(), words * 8);
    loadShared(to.data(), shared.data(), words * 8);
    REQUIRE(std::equal(from.begin(), from.end() - 1, to.begin()));
    REQUIRE(shared.back() == 1);
    REQUIRE(to.back() == 2);
  }
}
