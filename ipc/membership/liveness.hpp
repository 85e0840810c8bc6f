#pragma once

#include <array>
#include <atomic>

#include "ipc/segment/segment.hpp"
#include "ipc/sync/identity.hpp"
#include "ipc/sync/slot_lock.hpp"

namespace ronde::detail {

/// Tells for each slot whether its process lives. Evidence of death, quickest first: the life word (the kernel
/// writes it), the slot's file lock (the kernel frees it). Silence is no evidence of death; it is only noted here,
/// by the service thread. Thread-safe.
class Liveness : public OwnerOracle {
 public:
  Liveness(const Segment& segment, std::uint32_t ownSlot) : segment_(segment), ownSlot_(ownSlot) {}

  /// True if the process in `slot` (joining or active) is certainly gone. `thorough` also asks for the file lock,
  /// a system call.
  [[nodiscard]] bool isDead(std::uint32_t slot, bool thorough) const;

  /// True if no process stands behind the slot any more, whatever its phase.
  [[nodiscard]] bool isDeserted(std::uint32_t slot) const;

  /// The service thread's judgement of a member that gives no heartbeat, until it takes it back.
  void noteSilent(Member member) noexcept {
    silent_[member.slot].store(member.incarnation, std::memory_order_relaxed);
  }
  void noteBeating(Member member) noexcept { silent_[member.slot].store(0, std::memory_order_relaxed); }

  /// Kills the process in `slot`, so that what it holds can be taken over. True once it is dead; false if it may
  /// not be killed, or is this process.
  bool fence(std::uint32_t slot) const;

  /// For waiters on a lock. A silent or evicted owner is fenced if the group's policy is to evict.
  OwnerState ownerState(Member owner) override;

 private:
  const Segment& segment_;
  std::uint32_t ownSlot_;
  std::array<std::atomic<std::uint32_t>, kMaxMembers> silent_{};  ///< incarnation; 0 = not silent
};

[[nodiscard]] ProcessIdentity identityOf(const SlotTableState& slot);

}  // namespace ronde::detail
