#include "tests/crash/segment_watch.hpp"

#include <cstddef>
#include <cstring>

namespace ronde::crash {

using detail::SlotTableState;

bool SegmentWatch::hasChanged(bool mayHaveAppeared) {
  if (!segment_) {
    if (!mayHaveAppeared) return false;
    segment_ = detail::Segment::openForReading(group_);
    if (!segment_) return false;
  }
  const detail::Geometry& geometry = segment_->geometry();
  at_ = 0;
  bool changed = differs(&segment_->control(), sizeof(detail::ControlState));
  changed = differs(&segment_->cell(0), detail::kCells * sizeof(detail::CellState)) || changed;
  for (std::uint64_t view = 0; view < detail::kRememberedViews; ++view) {
    const auto members = static_cast<std::size_t>(geometry.capacity) * sizeof(detail::ViewEntry);
    changed = differs(&segment_->view(view), offsetof(detail::ViewState, member) + members) || changed;
    changed = differs(segment_->view(view).departed, sizeof(detail::ViewState::departed)) || changed;
  }
  for (std::uint32_t slot = 0; slot < geometry.capacity; ++slot) {
    const SlotTableState& table = segment_->slot(slot);
    changed = differs(&table, offsetof(SlotTableState, beats)) || changed;
    changed = differs(&table.doorbell, sizeof(table.doorbell)) || changed;
    changed = differs(&table.tokenFrom, sizeof(table.tokenFrom)) || changed;
    changed = differs(&table.life, sizeof(table.life)) || changed;
    if (detail::SlotWord::unpack(table.word.load()).incarnation == 0) continue;
    const std::size_t cells = geometry.mailboxMessages * sizeof(detail::MailCell);
    changed = differs(&segment_->mailbox(slot), sizeof(detail::MailboxState) + cells) || changed;
    const std::size_t blocks = detail::kOutboxBlocks * geometry.outboxBlockBytes();
    changed = differs(&segment_->outbox(slot), sizeof(detail::OutboxState) + blocks) || changed;
  }
  return changed;
}

bool SegmentWatch::differs(const void* bytes, std::size_t size) {
  if (known_.size() < at_ + size) known_.resize(at_ + size);
  std::byte* const known = known_.data() + at_;
  at_ += size;
  if (std::memcmp(known, bytes, size) == 0) return false;
  std::memcpy(known, bytes, size);
  return true;
}

}  // namespace ronde::crash
