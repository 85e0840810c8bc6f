#include "ipc/mailbox/outbox.hpp"

#include <cstring>
#include <mutex>

namespace ronde::detail {
namespace {

/// Garbage may be written there meanwhile: read once, so that what is checked is what is used.
template <class Number>
Number once(Number& shared) {
  return std::atomic_ref(shared).load(std::memory_order_relaxed);
}

bool isOwedToAnyone(const Segment& segment, const Block& block) {
  const BlockHeader& header = block.header();
  for (std::uint32_t slot = 0; slot < segment.geometry().capacity; ++slot) {
    if (block.isOwedTo(slot) && wasMemberIn(segment, slot, header.view)) return true;
  }
  return false;
}

}  // namespace

Block::Block(const Segment& segment, std::uint32_t slot, std::uint64_t position)
    : position_(position),
      header_(reinterpret_cast<BlockHeader*>(segment.outboxBlock(slot, position))),
      shares_(reinterpret_cast<ShareWord*>(segment.outboxBlock(slot, position) + sizeof(BlockHeader))) {}

Share Block::share(std::uint32_t slot) const {
  const std::uint32_t word = shares_[slot].load(std::memory_order_seq_cst);
  const auto share = static_cast<Share>(word & 3);
  return word == packShare(position_, share) ? share : Share::withdrawn;
}

bool Block::settle(std::uint32_t slot, Share to) const {
  std::uint32_t owed = packShare(position_, Share::owed);
  return shares_[slot].compare_exchange_strong(owed, packShare(position_, to), std::memory_order_seq_cst);
}

void Block::giveBack(std::uint32_t slot) const {
  shares_[slot].store(packShare(position_, Share::taken), std::memory_order_seq_cst);
}

void Block::owe(std::uint32_t slot) const {
  shares_[slot].store(packShare(position_, Share::owed), std::memory_order_relaxed);
}

std::optional<std::span<const std::byte>> payloadOf(const Segment& segment, std::uint32_t slot,
                                                    const Block& block) {
  const std::uint32_t length = once(block.header().length);
  const std::uint64_t size = segment.geometry().outboxBytes;
  const std::uint64_t offset = inRing(once(block.header().payloadAt), size);
  if (length > segment.geometry().maxMessage || offset + length > size) return std::nullopt;
  return std::span<const std::byte>(segment.outboxArea(slot) + offset, length);
}

std::optional<Bequest> bequestOf(const Segment& segment, Member departed, const Block& block) {
  BlockHeader& header = block.header();
  const std::uint32_t kind = once(header.kind);
  const Bequest bequest{
      {departed, static_cast<Kind>(kind), once(header.stamp), once(header.view), once(header.sequence)},
      once(header.length)};
  const bool isSound = departed.incarnation != 0 && isPlausible(kind, bequest.envelope.stamp) &&
                       bequest.length <= segment.geometry().maxMessage;
  return isSound ? std::optional(bequest) : std::nullopt;
}

void forEachBlock(const Segment& segment, std::uint32_t slot, const std::function<void(const Block&)>& visit) {
  const OutboxState& state = segment.outbox(slot);
  const std::uint64_t tail = state.tail.load(std::memory_order_acquire);
  std::uint64_t at = state.head.load(std::memory_order_acquire);
  if (tail - at > kOutboxBlocks) return;  // no member writes that
  for (; at != tail; ++at) visit(Block(segment, slot, at));
}

bool wasMemberIn(const Segment& segment, std::uint32_t slot, std::uint64_t view) {
  const SlotTableState& table = segment.slot(slot);
  if (SlotWord::unpack(table.word.load(std::memory_order_seq_cst)).phase != Phase::active) return false;
  const std::uint64_t joined = table.joinedView.load(std::memory_order_acquire);
  return joined != 0 && joined <= view;
}

bool isAnythingOwed(const Segment& segment, std::uint32_t slot) {
  bool owed = false;
  forEachBlock(segment, slot, [&](const Block& block) {
    // What is merely committed by now was committed after the eviction, and nobody will deliver it.
    const BlockPhase phase = block.phase();
    if (phase == BlockPhase::adopted || phase == BlockPhase::handedOver)
      owed = owed || isOwedToAnyone(segment, block);
  });
  return owed;
}

Outbox::Outbox(const Segment& segment, std::uint32_t slot) : segment_(segment), slot_(slot) {
  OutboxState& state = segment_.outbox(slot_);
  // Equal at every moment a cleaner might look. Positions go on, so that old references stay meaningless.
  head_ = tail_ = state.tail.load(std::memory_order_relaxed);
  state.head.store(head_, std::memory_order_release);
}

void Outbox::giveBackTaken() {
  for (; head_ != tail_; ++head_) {
    const Block block(segment_, slot_, head_);
    if (block.phase() != BlockPhase::handedOver || isOwedToAnyone(segment_, block)) break;
  }
  segment_.outbox(slot_).head.store(head_, std::memory_order_release);
}

std::optional<Block> Outbox::allocate(std::uint32_t length) {
  const std::uint64_t size = segment_.geometry().outboxBytes;
  const std::lock_guard guard(mutex_);
  giveBackTaken();
  if (tail_ - head_ >= kOutboxBlocks) return std::nullopt;
  const std::uint64_t at = placeContiguous(areaTail_, length, size);
  if (head_ != tail_ && at + length - payloadAt_[head_ % kOutboxBlocks] > size) return std::nullopt;
  const Block block(segment_, slot_, tail_);
  block.header().payloadAt = payloadAt_[tail_ % kOutboxBlocks] = at;
  block.header().phase.store(BlockPhase::writing, std::memory_order_seq_cst);
  areaTail_ = at + roundUpToLine(length);
  // A cleaner sees the block from here on, and leaves it alone until it is committed.
  segment_.outbox(slot_).tail.store(++tail_, std::memory_order_release);
  return block;
}

void Outbox::commit(const Block& block, const Envelope& envelope, std::span<const std::byte> payload,
                    std::span<const Member> addressees) const {
  BlockHeader& header = block.header();
  header.length = static_cast<std::uint32_t>(payload.size());
  header.stamp = envelope.stamp;
  header.view = envelope.view;
  header.sequence = envelope.sequence;
  header.kind = static_cast<std::uint32_t>(envelope.kind);
  if (!payload.empty()) {
    const std::uint64_t at = payloadAt_[block.position() % kOutboxBlocks];
    std::memcpy(segment_.outboxArea(slot_) + inRing(at, segment_.geometry().outboxBytes), payload.data(),
                payload.size());
  }
  for (const Member& member : addressees) block.owe(member.slot);
  // THE commit of a broadcast: a death before it reaches nobody, a death after it everybody. SYNC: intent.
  block.advance(BlockPhase::writing, BlockPhase::committed);
}

std::vector<std::uint32_t> Outbox::slotsInTheWay() {
  const std::lock_guard guard(mutex_);
  std::vector<std::uint32_t> slots;
  if (head_ == tail_) return slots;
  const Block oldest(segment_, slot_, head_);
  for (std::uint32_t slot = 0; slot < segment_.geometry().capacity; ++slot) {
    if (oldest.isOwedTo(slot) && wasMemberIn(segment_, slot, oldest.header().view)) slots.push_back(slot);
  }
  return slots;
}

}  // namespace ronde::detail
