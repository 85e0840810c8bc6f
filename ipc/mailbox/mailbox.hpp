#pragma once

#include <ronde/message.hpp>
#include <span>

#include "ipc/segment/segment.hpp"
#include "ipc/sync/slot_lock.hpp"

namespace ronde::detail {

/// What every record of a message says about it.
struct Envelope {
  Member sender;
  Kind kind = Kind::sendTo;
  std::uint64_t stamp = 0;
  std::uint64_t view = 0;
  std::uint64_t sequence = 0;  ///< of the send call
};

/// What a member may write there: a stamp beyond 2^62 could overflow our clock.
[[nodiscard]] inline bool isPlausible(std::uint32_t kind, std::uint64_t stamp) {
  return kind >= static_cast<std::uint32_t>(Kind::sendTo) &&
         kind <= static_cast<std::uint32_t>(Kind::broadcastSync) && stamp < (std::uint64_t{1} << 62);
}

enum class [[nodiscard]] PushResult{
    pushed,
    full,     ///< no room now
    refused,  ///< the mailbox's owner or the pusher is not an active member any more
    noLock,
    ownerStopped,  ///< the lock is held by a stopped member that may not be fenced
    corrupt,       ///< the mailbox holds positions that no member writes
};

/// Payload bytes that one record carries at the most; longer messages travel as trains of such records, so that
/// the copies in and out overlap (measured: 1 MiB in 70 us against 122 us whole).
inline constexpr std::size_t kCarBytes = 16 * 1024;

/// The producers' side of one member's mailbox: a handle without state. Every push is one attempt and one critical
/// section; a death at any instruction leaves the record there whole or not at all. Thread-safe.
class Mailbox {
 public:
  /// `self` is the process that pushes, on its own account or (clean-up) for a dead sender. `pushed` counts the
  /// messages of this process that were pushed here; the mailbox's lock protects it.
  Mailbox(const Segment& segment, Member owner, Member self, OwnerOracle& oracle, Word64* pushed = nullptr)
      : segment_(segment), owner_(owner), self_(self), oracle_(oracle), pushed_(pushed) {}

  [[nodiscard]] Member owner() const { return owner_; }

  /// A message that fits one record (at most kCarBytes).
  PushResult pushWhole(const Envelope& envelope, std::span<const std::byte> payload,
                       const Deadline& lockDeadline) const;
  /// One part of a longer message.
  PushResult pushCar(const Envelope& envelope, std::span<const std::byte> part, TrainPart where,
                     const Deadline& lockDeadline) const;
  /// The message in the block at `extent` of the sender's outbox. May use the cells reserved for it.
  PushResult pushReference(const Envelope& envelope, std::uint64_t extent, std::uint32_t length,
                           const Deadline& lockDeadline) const;

  /// As pushReference(), with the payload (at most kCarBytes), which spares the addressee two cache lines.
  PushResult pushCopy(const Envelope& envelope, std::uint64_t extent, std::span<const std::byte> payload,
                      const Deadline& lockDeadline) const;

  /// Cells that only references may use, so that they find room when user mail has filled the rest.
  [[nodiscard]] static std::uint64_t reservedCells(const Geometry& geometry) {
    return geometry.mailboxMessages / 8;
  }

  /// Where producers wait for room.
  [[nodiscard]] WakeWord& room() const { return segment_.mailbox(owner_.slot).room; }
  /// How a message of `bytes` that fits one record is stored.
  [[nodiscard]] static CellForm formOf(std::size_t bytes) {
    return bytes <= sizeof(MailCell::inlineBytes) ? CellForm::inlined : CellForm::area;
  }
  [[nodiscard]] bool looksHalfEmpty() const;
  /// True if a record of this form with `bytes` of payload would fit; looks without the lock.
  [[nodiscard]] bool looksRoomy(CellForm form, std::size_t bytes) const;
  /// Counts a message that was dropped or refused for want of room.
  void countRefused() const { segment_.mailbox(owner_.slot).refused.fetch_add(1, std::memory_order_relaxed); }

 private:
  /// What goes into a cell besides the envelope. `aside`: for MailCell::inlineBytes, where the payload is not
  /// there.
  struct Content {
    CellForm form;
    std::uint32_t length;
    std::uint64_t extent = 0;  ///< of a reference
    std::span<const std::byte> payload;
    const void* aside = nullptr;
    bool isLast = true;  ///< the message is whole with this record
  };
  PushResult push(const Envelope& envelope, const Content& content, const Deadline& lockDeadline) const;

  /// Asks for the cache lines of a message to come: its cell, and `area` bytes of payload from `at` on.
  void fetchLinesOfNext(std::uint64_t position, std::uint64_t at, std::uint64_t area) const;

  /// Tells the owner that its mailbox holds positions that no member writes.
  PushResult complain(MailboxState& state) const;

  const Segment& segment_;
  Member owner_;
  Member self_;
  OwnerOracle& oracle_;
  Word64* pushed_;
};

/// Where a position lies in a ring. All rings have a power of two as their size.
[[nodiscard]] inline std::uint64_t inRing(std::uint64_t position, std::uint64_t size) {
  return position & (size - 1);
}

/// Where a payload of `bytes` goes in a ring of `size` bytes whose next free position is `tail`: the first
/// position from there at which it lies in one piece.
[[nodiscard]] inline std::uint64_t placeContiguous(std::uint64_t tail, std::size_t bytes, std::uint64_t size) {
  const std::uint64_t offset = inRing(tail, size);
  return offset + bytes > size ? tail + (size - offset) : tail;
}

[[nodiscard]] inline std::uint64_t roundUpToLine(std::uint64_t bytes) {
  return (bytes + kLine - 1) / kLine * kLine;
}

}  // namespace ronde::detail
