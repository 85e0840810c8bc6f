#include "ipc/mailbox/mailbox.hpp"

#include <cstring>

#include "ipc/sync/prefetch.hpp"

namespace ronde::detail {
namespace {

bool isActive(const Segment& segment, Member member) {
  return segment.slot(member.slot).word.load(std::memory_order_seq_cst) ==
         SlotWord{member.incarnation, Phase::active, {}}.pack();
}

/// A stream of small messages: each unlock waits until all its stores are done, so every line that the owner's
/// core still has costs its whole way. Fetching the lines of the third message from now in advance hides that
/// (measured: 2 to 4 times the rate up to 256 bytes). Nearer ones may be polled by the owner; farther ones it
/// takes back, since its core reads ahead, too; longer messages gain nothing.
constexpr std::uint64_t kPrefetchAhead = 3;
constexpr std::uint64_t kPrefetchedArea = 256;

bool hasArea(CellForm form) { return form == CellForm::area || form == CellForm::car || form == CellForm::copy; }

/// Cells that must stay free: only references may use the last ones.
std::uint64_t reserveFor(CellForm form, const Geometry& geometry) {
  return form == CellForm::reference ? 0 : Mailbox::reservedCells(geometry);
}

}  // namespace

PushResult Mailbox::pushWhole(const Envelope& envelope, std::span<const std::byte> payload,
                              const Deadline& lockDeadline) const {
  const auto length = static_cast<std::uint32_t>(payload.size());
  return push(envelope, {.form = formOf(length), .length = length, .payload = payload}, lockDeadline);
}

PushResult Mailbox::pushCar(const Envelope& envelope, std::span<const std::byte> part, TrainPart where,
                            const Deadline& lockDeadline) const {
  const auto length = static_cast<std::uint32_t>(part.size());
  return push(envelope,
              {.form = CellForm::car,
               .length = length,
               .payload = part,
               .aside = &where,
               .isLast = where.offset + length == where.total},
              lockDeadline);
}

PushResult Mailbox::pushReference(const Envelope& envelope, std::uint64_t extent, std::uint32_t length,
                                  const Deadline& lockDeadline) const {
  return push(envelope, {.form = CellForm::reference, .length = length, .extent = extent, .payload = {}},
              lockDeadline);
}

PushResult Mailbox::pushCopy(const Envelope& envelope, std::uint64_t extent, std::span<const std::byte> payload,
                             const Deadline& lockDeadline) const {
  const CopiedBlock block{extent, 0};
  return push(envelope,
              {.form = CellForm::copy,
               .length = static_cast<std::uint32_t>(payload.size()),
               .payload = payload,
               .aside = &block},
              lockDeadline);
}

PushResult Mailbox::push(const Envelope& envelope, const Content& content, const Deadline& lockDeadline) const {
  const CellForm form = content.form;
  const std::span<const std::byte> payload = content.payload;
  MailboxState& state = segment_.mailbox(owner_.slot);
  MailCell* const cells = segment_.mailCells(owner_.slot);
  const Geometry& geometry = segment_.geometry();
  const std::uint64_t cellCount = geometry.mailboxMessages;

  // Before the lock: an evicted process that goes on must not hold it even for a moment.
  if (!isActive(segment_, self_) || !isActive(segment_, owner_)) return PushResult::refused;
  const LockResult locked = state.producers.lock(self_, oracle_, lockDeadline);
  if (!holdsLock(locked)) {
    return locked == LockResult::ownerStopped ? PushResult::ownerStopped : PushResult::noLock;
  }
  // Both are asked again under the lock. Who was evicted while it held the lock has released it or was killed
  // before the clean-up of its view ended, so a late record cannot follow, and a record cannot reach the next
  // owner of the slot. Another thread's stop() waits for us to come off the lock if we are past this look. If we
  // are not, somebody may have taken the lock over: we give back only what is ours. SYNC: departure.
  if (oracle_.isRetired() || !isActive(segment_, self_) || !isActive(segment_, owner_)) {
    state.producers.unlockIfHeldBy(self_);
    return PushResult::refused;
  }
  SlotLockGuard guard(state.producers);

  // A producer that died after its commit left `tail` behind it.
  std::uint64_t tail = state.tail.load(std::memory_order_relaxed);
  std::uint64_t tailByte = state.tailByte.load(std::memory_order_relaxed);
  for (std::uint64_t steps = 0; cells[inRing(tail, cellCount)].commit.load(std::memory_order_relaxed) == tail + 1;
       ++steps) {
    if (steps > cellCount) return complain(state);
    const MailCell& cell = cells[inRing(tail, cellCount)];
    if (hasArea(cell.form)) tailByte = cell.extent + roundUpToLine(cell.length);
    ++tail;
  }

  const std::uint64_t reserve = reserveFor(form, geometry);
  const std::uint64_t area = hasArea(form) ? roundUpToLine(payload.size()) : 0;
  const std::uint64_t at = area > 0 ? placeContiguous(tailByte, area, geometry.mailboxBytes) : tailByte;
  const auto fits = [&] {
    return tail - state.knownHead + reserve < cellCount &&
           at + area - state.knownHeadByte <= geometry.mailboxBytes;
  };
  if (!fits()) {
    // SYNC: mailbox-head. What the owner has given back is no longer read.
    state.knownHead = state.head.load(std::memory_order_acquire);
    state.knownHeadByte = state.headByte.load(std::memory_order_acquire);
    const bool isEmpty = tail == state.knownHead;
    const bool isPlausible =
        tail - state.knownHead <= cellCount && tailByte - state.knownHeadByte <= geometry.mailboxBytes &&
        // Nobody else pushes now: whatever lies between head and tail is committed.
        (isEmpty ||
         cells[inRing(state.knownHead, cellCount)].commit.load(std::memory_order_relaxed) == state.knownHead + 1);
    if (!isPlausible) return complain(state);
    if (!fits()) return isEmpty ? complain(state) : PushResult::full;
  }

  MailCell& cell = cells[inRing(tail, cellCount)];
  if (area > 0) {
    std::memcpy(segment_.mailArea(owner_.slot) + inRing(at, geometry.mailboxBytes), payload.data(),
                payload.size());
  } else if (!payload.empty()) {
    std::memcpy(cell.inlineBytes, payload.data(), payload.size());
  }
  if (content.aside != nullptr) std::memcpy(cell.inlineBytes, content.aside, sizeof(cell.inlineBytes));
  cell.stamp = envelope.stamp;
  cell.length = content.length;
  cell.sender = static_cast<std::uint16_t>(envelope.sender.slot);
  cell.kind = static_cast<std::uint8_t>(envelope.kind);
  cell.form = form;
  cell.incarnation = envelope.sender.incarnation;
  cell.view = static_cast<std::uint32_t>(envelope.view);
  cell.extent = form == CellForm::reference ? content.extent : at;
  cell.sequence = envelope.sequence;
  // THE commit: before it there is no record, after it there is a whole one. SYNC: mail-commit.
  cell.commit.store(tail + 1, std::memory_order_release);
  state.tailByte.store(at + area, std::memory_order_relaxed);
  state.tail.store(tail + 1, std::memory_order_release);
  if (pushed_ != nullptr && content.isLast) {
    pushed_->store(pushed_->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  guard.unlock();
  segment_.slot(owner_.slot).doorbell.wake();
  if (area <= kPrefetchedArea) fetchLinesOfNext(tail + kPrefetchAhead, at + kPrefetchAhead * area, area);
  return PushResult::pushed;
}

void Mailbox::fetchLinesOfNext(std::uint64_t position, std::uint64_t at, std::uint64_t area) const {
  const Geometry& geometry = segment_.geometry();
  fetchForWriting(&segment_.mailCells(owner_.slot)[inRing(position, geometry.mailboxMessages)]);
  for (std::uint64_t line = 0; line < area; line += kLine) {
    fetchForWriting(segment_.mailArea(owner_.slot) + inRing(at + line, geometry.mailboxBytes));
  }
}

PushResult Mailbox::complain(MailboxState& state) const {
  state.complaint.store(1, std::memory_order_seq_cst);
  segment_.slot(owner_.slot).doorbell.wake();
  return PushResult::corrupt;
}

bool Mailbox::looksHalfEmpty() const {
  const MailboxState& state = segment_.mailbox(owner_.slot);
  const Geometry& geometry = segment_.geometry();
  return 2 * (state.tail.load(std::memory_order_acquire) - state.head.load(std::memory_order_acquire)) <
             geometry.mailboxMessages &&
         2 * (state.tailByte.load(std::memory_order_acquire) - state.headByte.load(std::memory_order_acquire)) <
             geometry.mailboxBytes;
}

bool Mailbox::looksRoomy(CellForm form, std::size_t bytes) const {
  const MailboxState& state = segment_.mailbox(owner_.slot);
  const Geometry& geometry = segment_.geometry();
  const std::uint64_t tailByte = state.tailByte.load(std::memory_order_acquire);
  const std::uint64_t area = hasArea(form) ? roundUpToLine(bytes) : 0;
  return state.tail.load(std::memory_order_acquire) - state.head.load(std::memory_order_seq_cst) +
                 reserveFor(form, geometry) <
             geometry.mailboxMessages &&
         placeContiguous(tailByte, area, geometry.mailboxBytes) + area - state.headByte.load() <=
             geometry.mailboxBytes;
}

}  // namespace ronde::detail
