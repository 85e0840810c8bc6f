#pragma once

#include <optional>
#include <ronde/status.hpp>

#include "ipc/membership/context.hpp"
#include "ipc/membership/roster.hpp"

namespace ronde::detail {

/// Mutual exclusion by a token that goes round the ring of ids (after Le Lann 1977): at most one member in the
/// section per fence number, served in ring order. For excluding each other at little cost; not for protecting a
/// resource from a process that was stopped inside and resumes after its eviction: that needs the fence number
/// (FencedCell).
///
/// The token is one word (Token), so it cannot be lost or doubled. It rests with a member that left the section
/// last, or with its successor, in reserve; whoever wants it takes it from there. While others wait, release gives
/// it directly to the next of them along the ring, so nobody overtakes. Thread-safe; threads of one process enter
/// one after the other.
class TokenRing {
 public:
  TokenRing(const MemberContext& context, Roster& roster) : context_(context), roster_(roster) {}

  struct Grant {
    Status status = Status::ok;
    std::uint64_t fence = 0;
    std::uint32_t fromSlot = 0;  ///< where the token was
    bool handed = false;         ///< given to us while we waited, rather than taken from the reserve
  };
  /// Enters, waiting for the token until the deadline.
  [[nodiscard]] Grant request(const Deadline& deadline);
  /// Enters if the token is in reserve; otherwise `empty`.
  [[nodiscard]] Grant tryRequest();

  /// The fence under which this process is in the section, as far as it knows; 0 if it is not.
  [[nodiscard]] std::uint64_t heldFence() const noexcept { return heldFence_.load(std::memory_order_acquire); }

  struct Handover {
    Status status = Status::ok;
    std::uint32_t toSlot = 0;
  };
  /// Leaves the section entered under `fence`. evicted: it had been taken from us. empty: we are not in it.
  [[nodiscard]] Handover release(std::uint64_t fence);
  [[nodiscard]] Token token() const { return Token::unpack(word().load(std::memory_order_seq_cst)); }

  /// Clean-up after a view change: moves the token off a departed holder and bumps the repair number in any case:
  /// a member that has just chosen a departed successor must not succeed with that. Idempotent; any member may run
  /// it. False: it did not come to it, for garbage that is written all the time; to be tried again.
  static bool onViewChange(const MemberContext& context, const ViewData& view);

 private:
  [[nodiscard]] Word64& word() const { return context_.segment.control().token; }
  [[nodiscard]] std::atomic<std::uint8_t>& wants(std::uint32_t slot) const {
    return context_.segment.control().wants[slot];
  }
  /// Takes the token if it is in reserve, or was handed to us. True: in.
  [[nodiscard]] bool tryEnter(Grant& grant);
  Grant entered(const Grant& grant);
  [[nodiscard]] Grant handedToUs(const Token& token) const;
  /// Gives up waiting so that no hand-over to us can still succeed, or returns the token that was handed to us
  /// before that. Decided on one reading of the word: by a second one the token may be somebody else's.
  [[nodiscard]] std::optional<Token> withdraw();
  /// Makes `ring_` the current view. False if the segment holds garbage.
  [[nodiscard]] bool lookAtRing();
  /// The next member after us along the ring that wants the token, or else simply the next; ourselves if alone.
  [[nodiscard]] std::uint32_t successor(bool& wanting) const;

  const MemberContext& context_;
  Roster& roster_;
  Turn turn_;  ///< from request to release, which may be calls of different threads
  std::atomic<std::uint64_t> heldFence_{0};
  // The view that release() saw last, and our id in it. Used by whoever has the turn and set heldFence_ to 0.
  std::shared_ptr<const ViewData> ring_;
  std::size_t place_ = 0;
};

}  // namespace ronde::detail
