#pragma once

#include <array>
#include <memory>
#include <vector>

#include "ipc/mailbox/mailbox.hpp"
#include "ipc/mailbox/outbox.hpp"
#include "ipc/sync/brief_lock.hpp"

namespace ronde::detail {

/// Where a delivered payload goes. prepare() is called once the length is known and before the message is taken,
/// so a throw leaves it where it is.
class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;
  [[nodiscard]] virtual std::byte* prepare(std::size_t length) = 0;
  /// What was prepared last.
  [[nodiscard]] virtual std::span<const std::byte> bytes() const = 0;
};

/// What a receiving call is willing to take.
struct Wanted {
  bool anything = true;
  Member from;                   ///< otherwise only from this member …
  Kind kind = Kind::sendToSync;  ///< … and of this kind
};

enum class TakeStatus {
  taken,
  nothing,  ///< nothing that is wanted is complete
  corrupt,  ///< the mailbox held bytes that no member writes; it was emptied
  out,      ///< we are no member any more, and what is left in the mailbox has gaps
};

/// A message that was taken.
struct Taken {
  Envelope envelope;
  std::size_t length = 0;
  bool byReference = false;      ///< of a block in its sender's outbox: the sender may be waiting for it
  std::uint64_t lookedUpTo = 0;  ///< if nothing was: for Inbox::hasNews()
};

/// The owner's side of its mailbox: looks at records without any lock of the segment, takes them in order, or a
/// wanted one from the middle, and puts trains together. What is taken is given back to the producers once nothing
/// before it is left. Thread-safe by a lock of its own; only this process ever takes.
class Inbox {
 public:
  /// Forgets mail for a former owner of the slot. `self` is not active yet, but may lock.
  /// @throws Error(registrationTimeout) if a stopped process holds the lock until the deadline.
  Inbox(const Segment& segment, Member self, OwnerOracle& oracle, const Deadline& deadline);

  /// Takes the first wanted message, if one is complete. A long one may be put together in `sink` over several
  /// calls; who gives up before it is complete calls leave().
  [[nodiscard]] TakeStatus take(const Wanted& wanted, Sink& sink, Taken& taken);
  /// `sink` goes out of use: keeps what has come of a long message elsewhere.
  void leave(const Sink& sink);
  /// From now on take() finds nothing and writes nothing: the slot may get another owner.
  void close();

  /// True if a record has been committed behind what a take() has looked at. Cheap: to be polled.
  [[nodiscard]] bool hasNews(std::uint64_t lookedUpTo) const noexcept {
    // A greater number: the record was there, was taken by another thread, and its cell is in use again.
    return cells_[lookedUpTo & mask_].commit.load(std::memory_order_acquire) > lookedUpTo ||
           state_.complaint.load(std::memory_order_relaxed) != 0;
  }

  /// Records in the mailbox that were not taken.
  [[nodiscard]] std::uint64_t pending() const;
  /// Messages taken so far.
  [[nodiscard]] std::uint64_t received() const { return received_.load(std::memory_order_relaxed); }

 private:
  /// A long message of which parts have come: in the sink of the call that saw its first part, or in `bytes`.
  struct Assembly {
    Member sender;
    std::uint64_t sequence = 0;
    std::uint32_t total = 0;
    std::uint32_t received = 0;
    Sink* sink = nullptr;
    std::byte* inSink = nullptr;
    std::vector<std::byte> bytes;
  };

  [[nodiscard]] bool isPlausible(const MailCell& cell) const;
  /// Delivers one record; nothing if it only was a part, a duplicate, or withdrawn. `out`: not to be had, since we
  /// are no member any more.
  [[nodiscard]] TakeStatus deliver(const MailCell& cell, std::uint64_t position, Sink& sink, Taken& taken);
  [[nodiscard]] TakeStatus deliverReference(const MailCell& cell, std::uint64_t position, Sink& sink,
                                            Taken& taken);
  [[nodiscard]] TakeStatus deliverCopy(const MailCell& cell, std::uint64_t position, Sink& sink, Taken& taken);
  [[nodiscard]] TakeStatus deliverCar(const MailCell& cell, std::uint64_t position, Sink& sink, Taken& taken);
  /// Moves what is put together in `sink` out of it.
  void vacate(const Sink& sink);
  void markTaken(const MailCell& cell, std::uint64_t position);
  void giveBack();
  void announceRoom();
  /// After finding what no member writes.
  TakeStatus recover();
  [[nodiscard]] bool isDuplicate(const MailCell& cell) const;
  void noteBroadcast(const MailCell& cell);
  /// Tells senders that wait for us, or keep bytes for us, that we lost their references.
  void refuseWhatIsOwed() const;
  /// While it is true our claims keep the senders' bytes; they take back what they kept for a departed member, and
  /// use the block again.
  [[nodiscard]] bool isActive() const;
  /// The answer about a reference whose message is withdrawn, or was taken through another record.
  [[nodiscard]] TakeStatus passOver() const { return isActive() ? TakeStatus::nothing : TakeStatus::out; }
  /// Empties the mailbox and forgets what is under way. False if its lock was not to be had.
  bool discardAll(const Deadline& deadline);

  const Segment& segment_;
  const Member self_;
  OwnerOracle& oracle_;
  MailboxState& state_;
  MailCell* const cells_;
  const std::byte* const area_;
  const std::uint64_t mask_;
  const std::uint64_t areaBytes_;

  mutable BriefLock mutex_;
  std::uint64_t head_ = 0;           ///< the first record that was not taken
  std::uint64_t headByte_ = 0;       ///< where its payload may begin
  std::uint64_t announcedHead_ = 0;  ///< up to here waiting producers were woken
  std::uint64_t announcedHeadByte_ = 0;
  bool closed_ = false;
  bool out_ = false;  ///< for good: a message is missing
  std::atomic<std::uint64_t> received_{0};
  Assembly* inASink_ = nullptr;  ///< at most one at a time
  struct Done {
    bool taken = false;
    std::uint64_t areaEnd = 0;  ///< 0: no payload in the area
  };
  std::vector<Done> done_;  ///< per cell from head_ on; private, so a death leaves nothing
  std::vector<std::unique_ptr<Assembly>> assemblies_;  ///< per sender slot
  struct LastBroadcast {
    std::uint32_t incarnation = 0;
    std::uint64_t sequence = 0;
  };
  std::vector<LastBroadcast> lastBroadcast_;  ///< per sender slot
};

}  // namespace ronde::detail
