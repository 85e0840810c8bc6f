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

  /// True if the process in `slot` (joining or active) is gone: its service thread ended, which only the end of
  /// the process does while the slot is in use. `thorough` also asks for the file lock, a system call.
  [[nodiscard]] bool isDead(std::uint32_t slot, bool thorough) const;

  /// True if no process stands behind the slot any more, whatever its phase.
  [[nodiscard]] bool isDeserted(std::uint32_t slot) const;

  /// The service thread's judgement of a member whose heart stands at `beats`. To be renewed at each beat of our
  /// own: it soon ceases to count as evidence, and at once when that heart goes on.
  void noteSilent(Member member, std::uint64_t beats) noexcept;
  void noteBeating(Member member) noexcept { silent_[member.slot].store(0, std::memory_order_relaxed); }

  /// Kills the member whose slot word was `judged`, if there is fresh evidence of its silence, so that what it
  /// holds can be taken over. True once it is dead; false if nothing says that it is silent now (it may have been
  /// evicted, and be running well), if it may not be killed, is this process, or was dying before: ask again.
  bool fence(std::uint32_t slot, SlotWord judged) const;

  /// For waiters on a lock. A silent owner, evicted or not, is fenced if the group's policy is to evict.
  OwnerState ownerState(Member owner) override;

  void setMayWait(bool may) noexcept { mayWait_.store(may, std::memory_order_relaxed); }
  [[nodiscard]] bool mayWait() const noexcept override { return mayWait_.load(std::memory_order_relaxed); }

 private:
  /// True if no thread of its process writes here any more. The life word tells of one thread alone, and another
  /// may be writing under a lock: on a core that does not take the kernel's interrupt at once, as a virtual one
  /// may. The file lock goes when the last one has left user code.
  [[nodiscard]] bool isGone(std::uint32_t slot) const;
  [[nodiscard]] bool isSilentNow(Member member) const noexcept;
  [[nodiscard]] bool hasBeatenSince(std::uint32_t slot) const noexcept;

  const Segment& segment_;
  std::uint32_t ownSlot_;
  std::atomic<bool> mayWait_{true};
  std::array<Word64, kMaxMembers> silent_{};  ///< incarnation << 32 | when, in ms; 0 = not silent
  std::array<Word64, kMaxMembers> silentAtBeat_{};
};

[[nodiscard]] ProcessIdentity identityOf(const SlotTableState& slot);

}  // namespace ronde::detail
