#pragma once

#include <array>
#include <functional>
#include <optional>
#include <span>

#include "ipc/mailbox/mailbox.hpp"
#include "ipc/segment/segment.hpp"
#include "ipc/sync/brief_lock.hpp"
#include "ipc/sync/prefetch.hpp"

namespace ronde::detail {

/// One message in an outbox, as anyone may look at it. Cheap to copy.
class Block {
 public:
  Block(const Segment& segment, std::uint32_t slot, std::uint64_t position);

  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] BlockHeader& header() const { return *header_; }
  [[nodiscard]] BlockPhase phase() const { return header_->phase.load(std::memory_order_acquire); }
  /// `from` -> `to`; false if it was not `from` (any more).
  bool advance(BlockPhase from, BlockPhase to) const {
    return header_->phase.compare_exchange_strong(from, to, std::memory_order_seq_cst);
  }

  /// What `slot` has done about the message; withdrawn also if it was never an addressee.
  [[nodiscard]] Share share(std::uint32_t slot) const;
  /// True if the message is still on its way to `slot`, or being copied there.
  [[nodiscard]] bool isOwedTo(std::uint32_t slot) const {
    const Share now = share(slot);
    return now == Share::owed || now == Share::claimed;
  }
  /// settle() is to come.
  void fetchShare(std::uint32_t slot) const { fetchForWriting(&shares_[slot]); }
  /// owed -> `to`, the decision between the two sides; false if it was not owed (any more).
  bool settle(std::uint32_t slot, Share to) const;
  /// claimed -> taken.
  void giveBack(std::uint32_t slot) const;
  /// To be called by the owner before it commits the block.
  void owe(std::uint32_t slot) const;

 private:
  std::uint64_t position_;
  BlockHeader* header_;
  ShareWord* shares_;
};

/// The payload of a block that the caller has claimed (or owns, or whose owner is dead); nothing if the block
/// holds positions that no member writes.
[[nodiscard]] std::optional<std::span<const std::byte>> payloadOf(const Segment& segment, std::uint32_t slot,
                                                                  const Block& block);

/// What a departed member had committed, as its record is to say it.
struct Bequest {
  Envelope envelope;
  std::uint32_t length = 0;
};
/// Each word of the block's header read once; nothing if it holds what no member writes, which would cost every
/// receiver its mailbox.
[[nodiscard]] std::optional<Bequest> bequestOf(const Segment& segment, Member departed, const Block& block);

/// Calls `visit(Block)` for each block in `slot`'s outbox, oldest first.
void forEachBlock(const Segment& segment, std::uint32_t slot, const std::function<void(const Block&)>& visit);

/// True if the member that is in `slot` now was in view `view`.
[[nodiscard]] bool wasMemberIn(const Segment& segment, std::uint32_t slot, std::uint64_t view);

/// True while a member still has to read something in the outbox of `slot`, whose owner departed and was cleaned
/// up after.
[[nodiscard]] bool isAnythingOwed(const Segment& segment, std::uint32_t slot);

/// The owner's side of its outbox: where broadcasts and synchronous messages lie until all addressees have them.
/// Thread-safe: threads of the process fill different blocks at once.
class Outbox {
 public:
  /// Forgets what a former owner of the slot left; so it is made before the slot becomes active.
  Outbox(const Segment& segment, std::uint32_t slot);

  /// Reserves a block for `length` bytes; nothing if there is no room even after giving back what everybody has
  /// taken.
  [[nodiscard]] std::optional<Block> allocate(std::uint32_t length);

  /// Writes the message and its addressees, then commits: from then on every living addressee gets it.
  void commit(const Block& block, const Envelope& envelope, std::span<const std::byte> payload,
              std::span<const Member> addressees) const;
  /// Says that everybody who is to have the message has its record. After our eviction it changes nothing.
  static void finish(const Block& block) { block.advance(BlockPhase::committed, BlockPhase::handedOver); }

  /// The addressees that keep the oldest block from being given back, for messages to people.
  [[nodiscard]] std::vector<std::uint32_t> slotsInTheWay();

 private:
  void giveBackTaken();

  const Segment& segment_;
  std::uint32_t slot_;
  BriefLock mutex_;
  // What is in the segment is for readers; the owner decides by its own copies. Blocks from head_ to tail_ are in
  // use.
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t areaTail_ = 0;
  std::array<std::uint64_t, kOutboxBlocks> payloadAt_{};
};

}  // namespace ronde::detail
