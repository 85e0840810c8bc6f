#include "ipc/mailbox/inbox.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <ronde/error.hpp>
#include <string>
#include <utility>

namespace ronde::detail {
namespace {

constexpr std::chrono::milliseconds kDiscardLimit{100};
// Waking producers costs a full barrier, so it is not done for each small message. One that is not told of room
// looks by itself after a while (Messaging).
constexpr std::uint64_t kRoomCells = 32;
constexpr std::uint64_t kRoomBytes = 8192;

bool isBroadcast(const MailCell& cell) {
  const auto kind = static_cast<Kind>(cell.kind);
  return kind == Kind::broadcast || kind == Kind::publish;
}

TakeStatus note(Taken& taken, const MailCell& cell, std::size_t length) {
  taken.envelope = {
      {cell.sender, cell.incarnation}, static_cast<Kind>(cell.kind), cell.stamp, cell.view, cell.sequence};
  taken.length = length;
  taken.byReference = false;
  return TakeStatus::taken;
}

void copyOut(std::byte* to, const std::byte* from, std::size_t length) {
  if (length > 0) std::memcpy(to, from, length);
}

}  // namespace

Inbox::Inbox(const Segment& segment, Member self, OwnerOracle& oracle, const Deadline& deadline)
    : segment_(segment),
      self_(self),
      oracle_(oracle),
      state_(segment.mailbox(self.slot)),
      cells_(segment.mailCells(self.slot)),
      area_(segment.mailArea(self.slot)),
      mask_(segment.geometry().mailboxMessages - 1),
      areaBytes_(segment.geometry().mailboxBytes),
      done_(segment.geometry().mailboxMessages),
      assemblies_(segment.geometry().capacity),
      lastBroadcast_(segment.geometry().capacity) {
  if (!discardAll(deadline)) {
    throw Error(Errc::registrationTimeout, "the lock of the mailbox in slot " + std::to_string(self.slot) +
                                               " was not to be had in time; if a stopped process holds it, "
                                               "continue or end that");
  }
}

bool Inbox::discardAll(const Deadline& deadline) {
  // Under the producers' lock, so that nobody is in the middle of a record. Producers of the time before look at
  // the owner's slot word under this lock and go away.
  if (!holdsLock(state_.producers.lock(self_, oracle_, deadline))) return false;
  const SlotLockGuard guard(state_.producers);
  // Garbage may be so large that the next positions would wrap to 0, which is what an unused cell has as its
  // commit.
  std::uint64_t tail = state_.tail.load(std::memory_order_relaxed) % (std::uint64_t{1} << 62);
  std::uint64_t tailByte = state_.tailByte.load(std::memory_order_relaxed);
  for (std::uint64_t i = 0; i <= mask_; ++i) {
    // A producer that died after its commit left `tail` behind; beyond garbage this finds a place past every cell.
    const MailCell& cell = cells_[i];
    const std::uint64_t commit = cell.commit.load(std::memory_order_relaxed);
    if (commit > tail && commit - tail <= mask_ + 1) tail = commit;
  }
  for (std::uint64_t i = 0; i <= mask_; ++i) {
    if (cells_[i].commit.load(std::memory_order_relaxed) > tail)
      cells_[i].commit.store(0, std::memory_order_relaxed);
  }
  tailByte = roundUpToLine(tailByte) + areaBytes_;  // past whatever was announced; only differences matter
  head_ = tail;
  headByte_ = tailByte;
  std::fill(done_.begin(), done_.end(), Done{});
  for (auto& assembly : assemblies_) assembly.reset();
  inASink_ = nullptr;
  announcedHead_ = tail;
  announcedHeadByte_ = tailByte;
  state_.head.store(tail, std::memory_order_relaxed);
  state_.headByte.store(tailByte, std::memory_order_relaxed);
  state_.complaint.store(0, std::memory_order_relaxed);
  state_.knownHead = tail;
  state_.knownHeadByte = tailByte;
  state_.tailByte.store(tailByte, std::memory_order_relaxed);
  state_.tail.store(tail, std::memory_order_seq_cst);
  return true;
}

bool Inbox::isPlausible(const MailCell& cell) const {
  const Geometry& geometry = segment_.geometry();
  if (cell.sender >= geometry.capacity || cell.incarnation == 0) return false;
  if (!detail::isPlausible(cell.kind, cell.stamp)) return false;
  switch (cell.form) {
    case CellForm::inlined: return cell.length <= sizeof(cell.inlineBytes);
    case CellForm::reference: return cell.length <= geometry.maxMessage;
    case CellForm::area:
    case CellForm::car:
    case CellForm::copy:
      return cell.length <= kCarBytes && cell.extent % kLine == 0 && cell.extent >= headByte_ &&
             cell.extent + cell.length - headByte_ <= areaBytes_ &&
             inRing(cell.extent, areaBytes_) + cell.length <= areaBytes_;
  }
  return false;
}

TakeStatus Inbox::take(const Wanted& wanted, Sink& sink, Taken& taken) {
  const std::lock_guard guard(mutex_);
  if (closed_) return TakeStatus::nothing;
  if (out_) return TakeStatus::out;
  std::uint64_t position = head_;
  // At most once round: beyond that the ring is full of mail that is not wanted.
  while (position - head_ <= mask_) {
    const MailCell& shared = cells_[position & mask_];
    const std::uint64_t commit = shared.commit.load(std::memory_order_acquire);  // SYNC: mail-commit
    if (commit > position + 1) return recover();                                 // producers do not pass us
    if (commit != position + 1) break;
    // Most likely its payload begins where the last one ended: its line comes while we look at the record.
    __builtin_prefetch(area_ + inRing(headByte_, areaBytes_));
    if (!done_[position & mask_].taken) {
      // Copied once and checked; nothing of it is read from the segment again.
      MailCell cell;
      loadShared(&cell, &shared, sizeof(cell));
      TakeStatus status = TakeStatus::nothing;
      if (!isPlausible(cell)) {
        status = TakeStatus::corrupt;
      } else if (wanted.anything || (wanted.from == Member{cell.sender, cell.incarnation} &&
                                     wanted.kind == static_cast<Kind>(cell.kind))) {
        status = deliver(cell, position, sink, taken);
      }
      if (status == TakeStatus::corrupt) return recover();
      if (status == TakeStatus::out) {
        out_ = true;  // what lies behind it would come after a gap
        return status;
      }
      if (done_[head_ & mask_].taken) giveBack();
      if (status == TakeStatus::taken) {
        received_.store(received_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return status;
      }
    }
    position = std::max(position + 1, head_);
  }
  if (state_.complaint.load(std::memory_order_relaxed) != 0) return recover();
  if (announcedHead_ != head_ || state_.head.load(std::memory_order_relaxed) != head_ ||
      state_.headByte.load(std::memory_order_relaxed) != headByte_) {
    announceRoom();
  }
  taken.lookedUpTo = position;
  return TakeStatus::nothing;
}

TakeStatus Inbox::recover() {
  discardAll(Deadline::in(kDiscardLimit));
  refuseWhatIsOwed();
  return TakeStatus::corrupt;
}

void Inbox::refuseWhatIsOwed() const {
  for (std::uint32_t slot = 0; slot < segment_.geometry().capacity; ++slot) {
    if (segment_.slot(slot).word.load(std::memory_order_seq_cst) == 0) continue;  // its block may have no memory
    forEachBlock(segment_, slot, [&](const Block& block) {
      if (block.settle(self_.slot, Share::withdrawn)) segment_.slot(slot).doorbell.wake();
    });
  }
}

bool Inbox::isActive() const {
  return segment_.slot(self_.slot).word.load(std::memory_order_seq_cst) ==
         SlotWord{self_.incarnation, Phase::active, {}}.pack();
}

TakeStatus Inbox::deliver(const MailCell& cell, std::uint64_t position, Sink& sink, Taken& taken) {
  if (cell.form == CellForm::reference) return deliverReference(cell, position, sink, taken);
  if (cell.form == CellForm::car) return deliverCar(cell, position, sink, taken);
  if (cell.form == CellForm::copy) return deliverCopy(cell, position, sink, taken);
  vacate(sink);
  copyOut(sink.prepare(cell.length),
          cell.form == CellForm::inlined ? cell.inlineBytes : area_ + inRing(cell.extent, areaBytes_),
          cell.length);
  noteBroadcast(cell);
  markTaken(cell, position);
  return note(taken, cell, cell.length);
}

bool Inbox::isDuplicate(const MailCell& cell) const {
  // A broadcast that its dead sender had delivered to us is delivered again by the clean-up, as a reference.
  const LastBroadcast& last = lastBroadcast_[cell.sender];
  return isBroadcast(cell) && last.incarnation == cell.incarnation && cell.sequence <= last.sequence;
}

void Inbox::noteBroadcast(const MailCell& cell) {
  if (isBroadcast(cell)) lastBroadcast_[cell.sender] = {cell.incarnation, cell.sequence};
}

TakeStatus Inbox::deliverReference(const MailCell& cell, std::uint64_t position, Sink& sink, Taken& taken) {
  const Block block(segment_, cell.sender, cell.extent);
  if (isDuplicate(cell)) {
    block.settle(self_.slot, Share::taken);
    markTaken(cell, position);
    return TakeStatus::nothing;
  }
  if (block.share(self_.slot) != Share::owed) {
    markTaken(cell, position);
    return passOver();
  }
  vacate(sink);
  std::byte* const to = sink.prepare(cell.length);
  // The decision: from here on the sender cannot withdraw, and must keep the bytes until we give them back.
  const bool ours = block.settle(self_.slot, Share::claimed);
  markTaken(cell, position);
  if (!ours) return passOver();
  const auto payload = payloadOf(segment_, cell.sender, block);
  if (!payload || payload->size() != cell.length) {
    block.giveBack(self_.slot);
    return isActive() ? TakeStatus::corrupt : TakeStatus::out;
  }
  copyOut(to, payload->data(), cell.length);
  const bool isWhole = isActive();
  block.giveBack(self_.slot);
  if (!isWhole) return TakeStatus::out;
  noteBroadcast(cell);
  note(taken, cell, cell.length);
  taken.byReference = true;  // its sender may be waiting for it
  return TakeStatus::taken;
}

TakeStatus Inbox::deliverCopy(const MailCell& cell, std::uint64_t position, Sink& sink, Taken& taken) {
  CopiedBlock copied{};
  std::memcpy(&copied, cell.inlineBytes, sizeof(copied));
  const Block block(segment_, cell.sender, copied.position);
  block.fetchShare(self_.slot);
  if (block.share(self_.slot) != Share::owed) {
    markTaken(cell, position);
    return passOver();
  }
  vacate(sink);
  std::byte* const to = sink.prepare(cell.length);
  // The decision. The bytes are in our mailbox, so the sender need not keep its own.
  const bool ours = block.settle(self_.slot, Share::taken);
  if (ours) copyOut(to, area_ + inRing(cell.extent, areaBytes_), cell.length);
  markTaken(cell, position);
  if (!ours) return passOver();
  note(taken, cell, cell.length);
  taken.byReference = true;  // its sender may be waiting for it
  return TakeStatus::taken;
}

TakeStatus Inbox::deliverCar(const MailCell& cell, std::uint64_t position, Sink& sink, Taken& taken) {
  TrainPart part;
  std::memcpy(&part, cell.inlineBytes, sizeof(part));
  if (part.total > segment_.geometry().maxMessage || part.offset + std::uint64_t{cell.length} > part.total) {
    return TakeStatus::corrupt;
  }
  auto& assembly = assemblies_[cell.sender];
  const Member sender{cell.sender, cell.incarnation};
  if (part.offset == 0) {
    // A train that was given up half-way is replaced by the next one of its sender.
    if (assembly.get() == inASink_) inASink_ = nullptr;
    assembly.reset();
    auto next = std::make_unique<Assembly>();
    next->sender = sender;
    next->sequence = cell.sequence;
    next->total = part.total;
    if (inASink_ == nullptr) {
      // Asked before the first part is taken: a buffer that is too small leaves the message in the mailbox.
      next->inSink = sink.prepare(part.total);
      next->sink = &sink;
      inASink_ = next.get();
    } else {
      next->bytes.reserve(part.total);
    }
    assembly = std::move(next);
  }
  const bool fits = assembly && assembly->sender == sender && assembly->sequence == cell.sequence &&
                    assembly->total == part.total && assembly->received == part.offset;
  if (!fits) {  // the rest of a train whose beginning was discarded
    markTaken(cell, position);
    return TakeStatus::nothing;
  }
  const bool isLast = part.offset + cell.length == part.total;
  const bool isInPlace = assembly->sink == &sink;
  std::byte* const to = isLast && !isInPlace ? (vacate(sink), sink.prepare(part.total)) : nullptr;
  const std::byte* const from = area_ + inRing(cell.extent, areaBytes_);
  if (assembly->sink != nullptr) {
    copyOut(assembly->inSink + part.offset, from, cell.length);
  } else {
    assembly->bytes.insert(assembly->bytes.end(), from, from + cell.length);
  }
  assembly->received += cell.length;
  markTaken(cell, position);
  if (!isLast) return TakeStatus::nothing;
  if (!isInPlace) copyOut(to, assembly->sink != nullptr ? assembly->inSink : assembly->bytes.data(), part.total);
  if (assembly.get() == inASink_) inASink_ = nullptr;
  assembly.reset();
  return note(taken, cell, part.total);
}

void Inbox::vacate(const Sink& sink) {
  if (inASink_ == nullptr || inASink_->sink != &sink) return;
  Assembly& assembly = *std::exchange(inASink_, nullptr);
  assembly.sink = nullptr;
  try {
    assembly.bytes.reserve(assembly.total);
  } catch (const std::bad_alloc&) {
    assemblies_[assembly.sender.slot].reset();  // no memory for it: the message is lost, and the caller is told
    throw;
  }
  assembly.bytes.assign(assembly.inSink, assembly.inSink + assembly.received);
}

void Inbox::leave(const Sink& sink) {
  const std::lock_guard guard(mutex_);
  vacate(sink);
}

void Inbox::close() {
  const std::lock_guard guard(mutex_);
  closed_ = true;
}

void Inbox::markTaken(const MailCell& cell, std::uint64_t position) {
  const bool inArea = cell.form == CellForm::area || cell.form == CellForm::car || cell.form == CellForm::copy;
  done_[position & mask_] = {true, inArea ? cell.extent + roundUpToLine(cell.length) : 0};
}

void Inbox::giveBack() {
  while (done_[head_ & mask_].taken) {
    Done& done = done_[head_ & mask_];
    if (done.areaEnd != 0) headByte_ = done.areaEnd;
    done = {};
    ++head_;
  }
  // Bytes first: a producer that sees the new head must also see their room. SYNC: mailbox-head.
  state_.headByte.store(headByte_, std::memory_order_release);
  state_.head.store(head_, std::memory_order_release);
  if (head_ - announcedHead_ >= kRoomCells || headByte_ - announcedHeadByte_ >= kRoomBytes) announceRoom();
}

void Inbox::announceRoom() {
  announcedHead_ = head_;
  announcedHeadByte_ = headByte_;
  state_.headByte.store(headByte_, std::memory_order_release);
  state_.head.store(head_,
                    std::memory_order_seq_cst);  // a full barrier before the look at the sleepers (WakeWord)
  state_.room.wake();
}

std::uint64_t Inbox::pending() const {
  const std::lock_guard guard(mutex_);
  const std::uint64_t count = state_.tail.load(std::memory_order_acquire) - head_;
  std::uint64_t taken = 0;
  for (std::uint64_t i = 0; i <= mask_ && i < count; ++i) taken += done_[(head_ + i) & mask_].taken ? 1 : 0;
  return count > mask_ + 1 ? 0 : count - taken;
}

}  // namespace ronde::detail
