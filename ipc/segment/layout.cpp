#include "ipc/segment/layout.hpp"

#include <array>

namespace ronde::detail {
namespace {

constexpr std::size_t roundUp(std::size_t value, std::size_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

std::size_t Geometry::blocksAt() const { return roundUp(kSlotsAt + capacity * sizeof(SlotTableState), kPage); }

std::size_t Geometry::blockBytes() const {
  return roundUp(sizeof(MailboxState) + mailboxMessages * sizeof(MailCell) + mailboxBytes + sizeof(OutboxState) +
                     kOutboxBlocks * outboxBlockBytes() + outboxBytes,
                 kPage);
}

std::uint64_t layoutFingerprint() noexcept {
  const std::array<std::uint64_t, 18> sizes = {
      sizeof(SegmentHeader), sizeof(ControlState), sizeof(BarrierState), sizeof(CellState), sizeof(ViewState),
      sizeof(ViewEntry), sizeof(DepartureEntry), sizeof(SlotTableState), sizeof(MailCell), sizeof(MailboxState),
      sizeof(BlockHeader), sizeof(OutboxState), alignof(SlotTableState), kMaxMembers, kRememberedViews, kCells,
      Geometry::kSlotsAt,
      // Both byte orders and both kinds of lock word would differ here.
      static_cast<std::uint64_t>(SlotLock::ownerWord({1, 2}))};
  return checksum(sizes.data(), sizeof(sizes));
}

std::uint64_t checksum(const void* bytes, std::size_t size) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto* at = static_cast<const unsigned char*>(bytes);
  for (std::size_t i = 0; i < size; ++i) hash = (hash ^ at[i]) * 0x100000001b3ULL;
  return hash;
}

}  // namespace ronde::detail
