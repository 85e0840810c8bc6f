#pragma once

#include <array>
#include <functional>
#include <memory_resource>

#include "ipc/protocol/messaging.hpp"

namespace ronde::detail {

/// Synchronous sends: return when the addressees have taken the message. The message lies in the sender's outbox;
/// the mailboxes get a reference. Each addressee's share of the block is the one word in which it (claim) and the
/// sender (withdraw) decide whether the message was delivered, so both always agree. For handing over and knowing;
/// the price is waiting for the other side. Thread-safe; sends of several threads run side by side.
class Rendezvous {
 public:
  Rendezvous(const MemberContext& context, Roster& roster, Outbox& outbox, Messaging& messaging)
      : context_(context), roster_(roster), outbox_(outbox), messaging_(messaging) {}

  /// Told about each addressee as its fate becomes known: acknowledged, or not.
  using OnShare = std::function<void(Member member, MemberId id, bool acknowledged)>;

  /// To one member of the current view. peerFailed if it departs first.
  Outcome sendToSync(std::span<const std::byte> payload, LamportTime stamp, Member to, const Deadline& deadline,
                     const OnShare& onShare);
  /// To every other member of the current view. ok if all that stayed took it.
  Outcome broadcastSync(std::span<const std::byte> payload, LamportTime stamp, const Deadline& deadline,
                        const OnShare& onShare);

  /// Synchronous messages of ours that were taken, one per addressee.
  [[nodiscard]] std::uint64_t acknowledged() const noexcept {
    return acknowledged_.load(std::memory_order_relaxed);
  }

 private:
  struct Addressee {
    Member member;
    MemberId id;
    bool tried = false;      ///< and not to be tried again
    bool reached = false;    ///< its mailbox has the reference, or it has no mailbox any more
    bool withdrawn = false;  ///< by us, before the block was handed over
    bool settled = false;    ///< its fate is in the outcome
  };
  using Addressees = std::pmr::vector<Addressee>;
  /// Memory of one call, on its stack: up to 30 addressees fit, with their names in the outbox's list.
  struct Memory {
    std::array<std::byte, 1024> first;  // NOLINT: needs no values
    std::pmr::monotonic_buffer_resource resource{first.data(), first.size()};
  };
  static_assert(30 * (sizeof(Addressee) + sizeof(Member)) + alignof(Addressee) <= sizeof(Memory::first));
  Outcome send(std::span<const std::byte> payload, LamportTime stamp, Kind kind, std::uint64_t view,
               Addressees& addressees, const Deadline& deadline, const OnShare& onShare);
  /// Puts the reference into everybody's mailbox. ok, or why somebody has none.
  [[nodiscard]] Status push(const Block& block, const Envelope& envelope, std::span<const std::byte> payload,
                            Addressees& addressees, const Deadline& deadline);
  /// Notes every addressee whose fate is decided by now. True if all are.
  bool settleKnown(const Block& block, Addressees& addressees, Outcome& outcome, const OnShare& onShare);

  const MemberContext& context_;
  Roster& roster_;
  Outbox& outbox_;
  Messaging& messaging_;
  std::atomic<std::uint64_t> acknowledged_{0};
};

}  // namespace ronde::detail
