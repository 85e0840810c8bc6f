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

/// Asynchronous mail: sendTo, broadcast, publish, and the receipt of any message. For handing something over; not
/// for knowing that it was read (rendezvous.hpp). Thread-safe.
class Messaging {
 public:
  Messaging(const MemberContext& context, Roster& roster, Outbox& outbox, Inbox& inbox)
      : context_(context),
        roster_(roster),
        outbox_(outbox),
        inbox_(inbox),
        trains_(context.segment.geometry().capacity) {}

  struct Sent {
    Outcome outcome;
    std::uint64_t handedOver = 0;  ///< addressees that have it
    std::uint64_t dropped = 0;
  };

  /// One message to one member: whole in its mailbox, or not at all. Outcome sets are left to the caller.
  [[nodiscard]] Sent sendTo(std::span<const std::byte> payload, LamportTime stamp, Member to, FullPolicy policy,
                            Deadline deadline);

  /// One message to all members of the current view, with or without ourselves: to all survivors or none (P5).
  [[nodiscard]] Sent sendToAll(std::span<const std::byte> payload, LamportTime stamp, Kind kind, FullPolicy policy,
                               Deadline deadline);

  /// Waits for a wanted message. `from` in `wanted` that departs ends the wait with peerFailed, once everything it
  /// had committed is here.
  [[nodiscard]] Status receive(const Wanted& wanted, Sink& sink, Deadline deadline, Taken& taken);

  /// For the synchronous calls: a number for the next message.
  [[nodiscard]] std::uint64_t nextSequence() noexcept {
    return sequence_.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  /// A block of the outbox, waiting for room until the deadline. Nothing: `refusal` says why.
  [[nodiscard]] std::optional<Block> allocateBlock(std::uint32_t length, FullPolicy policy, Deadline deadline,
                                                   Status& refusal);
  /// Pushes a reference to `block`, waiting for room until the deadline. ok, full, staleView, stopped, …
  [[nodiscard]] Status pushReference(const Envelope& envelope, const Block& block, std::uint32_t length, Member to,
                                     FullPolicy policy, Deadline deadline);
  /// The ids of those whose unread messages fill the outbox.
  void insertSlotsInTheWay(const ViewData& view, IdSet& ids);

 private:
  template <class Attempt>
  [[nodiscard]] Status pushWithRoom(Member to, CellForm form, std::size_t bytes, FullPolicy policy,
                                    Deadline deadline, Attempt attempt);
  /// A message to ourselves that fills more than one record: nobody would take the first part while we push the
  /// next, so it lies in our outbox, as a broadcast does.
  [[nodiscard]] Status sendToOurselves(const Envelope& envelope, std::span<const std::byte> payload,
                                       FullPolicy policy, Deadline deadline);
  [[nodiscard]] Mailbox mailboxOf(Member member) const {
    return {context_.segment, member, context_.self, context_.liveness};
  }
  /// True once nothing more can come from `member`.
  [[nodiscard]] bool isGoneForGood(Member member) const;

  const MemberContext& context_;
  Roster& roster_;
  Outbox& outbox_;
  Inbox& inbox_;
  std::atomic<std::uint64_t> sequence_{0};
  std::vector<Turn> trains_;  ///< per addressee: parts of two trains must not mix

  Turn broadcasts_;  ///< one at a time: receivers rely on ascending sequences; protects the lists below
  struct Target {
    Member member;
    MemberId id;
  };
  std::vector<Target> targets_;  // kept between calls, so that a broadcast allocates nothing
  std::vector<Target> waiting_;
  std::vector<Member> addressees_;
};

}  // namespace ronde::detail
