#pragma once

#include <ronde/options.hpp>
#include <ronde/status.hpp>
#include <vector>

#include "ipc/mailbox/inbox.hpp"
#include "ipc/mailbox/outbox.hpp"
#include "ipc/membership/context.hpp"
#include "ipc/membership/roster.hpp"

namespace ronde::detail {

/// Broadcasts up to this size are copied into each mailbox; longer ones lie once in the sender's outbox.
inline constexpr std::size_t kInlineBroadcast = 4096;
/// Up to this size a synchronous message brings a copy of its payload. Short, because the room of one that is
/// withdrawn comes back only when its addressee looks into its mailbox.
inline constexpr std::size_t kCopiedSync = 512;

/// Asynchronous mail: sendTo, broadcast, publish, and the receipt of any message. For handing something over; not
/// for knowing that it was read (rendezvous.hpp). Thread-safe.
class Messaging {
 public:
  Messaging(const MemberContext& context, Roster& roster, Outbox& outbox, Inbox& inbox)
      : context_(context),
        roster_(roster),
        outbox_(outbox),
        inbox_(inbox),
        trains_(context.segment.geometry().capacity),
        pushed_(context.segment.geometry().capacity) {}

  /// One message to one member: whole in its mailbox, or not at all. ok with `dropped` set: FullPolicy::drop.
  [[nodiscard]] Status sendTo(std::span<const std::byte> payload, LamportTime stamp, Member to, FullPolicy policy,
                              const Deadline& deadline, bool& dropped);

  /// One message to all members of the current view, with or without ourselves: to all survivors or none (P5).
  [[nodiscard]] Outcome sendToAll(std::span<const std::byte> payload, LamportTime stamp, Kind kind,
                                  FullPolicy policy, const Deadline& deadline);

  /// Waits for a wanted message. `from` in `wanted` that departs ends the wait with peerFailed, once everything it
  /// had committed is here.
  [[nodiscard]] Status receive(const Wanted& wanted, Sink& sink, const Deadline& deadline, Taken& taken);

  /// Messages that this process put into mailboxes, one per addressee, and those it dropped.
  [[nodiscard]] std::uint64_t pushed() const noexcept;
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

  /// For the synchronous calls: a number for the next message.
  [[nodiscard]] std::uint64_t nextSequence() noexcept {
    return sequence_.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  /// A block of the outbox, waiting for room until the deadline. Nothing: `refusal` says why.
  [[nodiscard]] std::optional<Block> allocateBlock(std::uint32_t length, FullPolicy policy,
                                                   const Deadline& deadline, Status& refusal);
  /// Pushes a reference to `block`, waiting for room until the deadline. ok, full, staleView, stopped, …
  [[nodiscard]] Status pushReference(const Envelope& envelope, const Block& block, std::uint32_t length, Member to,
                                     FullPolicy policy, const Deadline& deadline);
  /// The same for a synchronous message, with its payload if that is short and there is room for it.
  [[nodiscard]] Status pushSync(const Envelope& envelope, const Block& block, std::span<const std::byte> payload,
                                Member to, FullPolicy policy, const Deadline& deadline);
  /// Says that nobody needs us any more for `block` to be delivered. Not once we are out: what the clean-up
  /// adopted is its to deliver, and what we committed after that reaches nobody, so nobody owes a taking of it.
  void finish(const Block& block) const {
    if (context_.isActive(context_.self)) Outbox::finish(block);
  }
  /// The ids of those whose unread messages fill the outbox.
  void insertSlotsInTheWay(const ViewData& view, IdSet& ids);

 private:
  template <class Attempt>
  [[nodiscard]] Status pushWithRoom(const Mailbox& mailbox, CellForm form, std::size_t bytes, FullPolicy policy,
                                    const Deadline& deadline, Attempt attempt);
  [[nodiscard]] Status sendTrain(const Envelope& envelope, std::span<const std::byte> payload, Member to,
                                 FullPolicy policy, const Deadline& deadline);
  [[nodiscard]] Status tryReceiving(const Wanted& wanted, Sink& sink, const Deadline& deadline, Taken& taken);
  /// A message to ourselves that fills more than one record: nobody would take the first part while we push the
  /// next, so it lies in our outbox, as a broadcast does.
  [[nodiscard]] Status sendToOurselves(const Envelope& envelope, std::span<const std::byte> payload,
                                       FullPolicy policy, const Deadline& deadline);
  [[nodiscard]] Mailbox mailboxOf(Member member) {
    return {context_.segment, member, context_.self, context_.liveness, &pushed_[member.slot]};
  }
  /// True once nothing more can come from `member`.
  [[nodiscard]] bool isGoneForGood(Member member) const;

  const MemberContext& context_;
  Roster& roster_;
  Outbox& outbox_;
  Inbox& inbox_;
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::vector<Turn> trains_;    ///< per addressee: parts of two trains must not mix
  std::vector<Word64> pushed_;  ///< per addressee, each protected by its mailbox's lock

  Turn broadcasts_;  ///< one at a time: receivers rely on ascending sequences; protects what follows
  std::shared_ptr<const ViewData> view_;  ///< the newest that was read
  struct Target {
    Member member;
    MemberId id;
  };
  std::vector<Target> targets_;  // kept between calls, so that a broadcast allocates nothing
  std::vector<Target> waiting_;
  std::vector<Member> addressees_;
};

}  // namespace ronde::detail
