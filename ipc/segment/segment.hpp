#pragma once

#include <chrono>
#include <memory>
#include <ronde/options.hpp>
#include <string>

#include "ipc/segment/layout.hpp"
#include "ipc/sync/deadline.hpp"

namespace ronde::detail {

class Mapping;

/// A process's access to a group's segment: the mapping, the descriptor whose file locks say that a member lives,
/// and a private copy of everything that the header decides. One per communicator; communicators of one process
/// share the mapping (so that a thread sanitizer sees their accesses as one memory). Thread-safe.
class Segment {
 public:
  /// Joins the living segment of `options.group`, or creates it. A segment in which nobody lives is taken over,
  /// also one of another version.
  /// @throws Error(refusedSegment, incompatibleSegment, corruptSegment, noSpace, system);
  /// Error(registrationTimeout) if the name keeps changing until `deadline`.
  static std::unique_ptr<Segment> joinOrCreate(const Options& options, const Deadline& deadline);

  /// Maps an existing segment for reading only; it takes no part in anything. Null if there is none.
  static std::unique_ptr<Segment> openForReading(const std::string& group);

  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  /// leave(), and gives the mapping back.
  ~Segment();

  [[nodiscard]] const Geometry& geometry() const { return geometry_; }
  [[nodiscard]] std::chrono::nanoseconds heartbeatInterval() const { return heartbeatInterval_; }
  [[nodiscard]] std::chrono::nanoseconds heartbeatTimeout() const { return heartbeatTimeout_; }
  [[nodiscard]] SilencePolicy silencePolicy() const { return silencePolicy_; }

  [[nodiscard]] ControlState& control() const { return *at<ControlState>(Geometry::kControlAt); }
  [[nodiscard]] CellState& cell(int index) const {
    return at<CellState>(Geometry::kCellsAt)[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] ViewState& view(std::uint64_t number) const {
    return at<ViewState>(Geometry::kViewsAt)[number % kRememberedViews];
  }
  [[nodiscard]] SlotTableState& slot(std::uint32_t index) const {
    return at<SlotTableState>(Geometry::kSlotsAt)[index];
  }
  [[nodiscard]] MailboxState& mailbox(std::uint32_t slot) const { return *at<MailboxState>(blockAt(slot)); }
  [[nodiscard]] MailCell* mailCells(std::uint32_t slot) const {
    return at<MailCell>(blockAt(slot) + sizeof(MailboxState));
  }
  [[nodiscard]] std::byte* mailArea(std::uint32_t slot) const {
    return at<std::byte>(blockAt(slot) + sizeof(MailboxState) + geometry_.mailboxMessages * sizeof(MailCell));
  }
  [[nodiscard]] OutboxState& outbox(std::uint32_t slot) const {
    return *at<OutboxState>(blockAt(slot) + sizeof(MailboxState) + geometry_.mailboxMessages * sizeof(MailCell) +
                            geometry_.mailboxBytes);
  }
  [[nodiscard]] std::byte* outboxBlock(std::uint32_t slot, std::uint64_t position) const {
    return reinterpret_cast<std::byte*>(&outbox(slot)) + sizeof(OutboxState) +
           position % kOutboxBlocks * geometry_.outboxBlockBytes();
  }
  [[nodiscard]] std::byte* outboxArea(std::uint32_t slot) const {
    return reinterpret_cast<std::byte*>(&outbox(slot)) + sizeof(OutboxState) +
           kOutboxBlocks * geometry_.outboxBlockBytes();
  }

  /// Takes the slot's file lock without waiting: from then on the kernel tells the others whether we live.
  [[nodiscard]] bool claimSlot(std::uint32_t slot) const;
  void releaseSlot(std::uint32_t slot) const;
  /// True if some other member's process (or communicator) holds the slot's file lock.
  [[nodiscard]] bool isSlotClaimed(std::uint32_t slot) const;
  /// True if it is certain that the process `pid` does not hold it.
  [[nodiscard]] bool isSlotOfAnother(std::uint32_t slot, std::uint32_t pid) const;
  /// @throws Error(noSpace).
  void reserveBlock(std::uint32_t slot) const;

  /// False once somebody removed or replaced the file under the living group: newcomers would found another one.
  [[nodiscard]] bool isNamed() const;
  /// Removes the name of a group whose members are all dead although somebody still holds on to the file (a
  /// process that was evicted and is stopped): the next to join founds a new group. Whether it did.
  bool abandonName() const;
  /// Gives up our sign of life; removes the file if nobody else lives. The mapping stays usable. Idempotent.
  void leave();

 private:
  struct File;
  /// Null: look again.
  static std::unique_ptr<Segment> tryJoinOrCreate(const Options& options, bool patient);
  Segment(std::unique_ptr<File> file, std::shared_ptr<Mapping> mapping, const SegmentHeader& header,
          const std::string& path, bool readOnly);
  [[nodiscard]] std::size_t blockAt(std::uint32_t slot) const { return blocksAt_ + slot * blockBytes_; }
  template <class T>
  [[nodiscard]] T* at(std::size_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }

  std::unique_ptr<File> file_;
  std::shared_ptr<Mapping> mapping_;
  std::byte* base_;
  std::string path_;
  Geometry geometry_;
  std::size_t blocksAt_;  // computed once
  std::size_t blockBytes_;
  std::chrono::nanoseconds heartbeatInterval_;
  std::chrono::nanoseconds heartbeatTimeout_;
  SilencePolicy silencePolicy_;
  const bool readOnly_;
  bool left_ = false;
};

}  // namespace ronde::detail
