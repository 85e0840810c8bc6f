#include "ipc/membership/liveness.hpp"

#include <sched.h>

#include "ipc/log.hpp"
#include "ipc/sync/life_word.hpp"

namespace ronde::detail {
namespace {

constexpr std::uint32_t kIncarnationMask = (1U << 21) - 1;  // what a lock word keeps of an incarnation
constexpr std::chrono::milliseconds kFenceLimit{50};

}  // namespace

ProcessIdentity identityOf(const SlotTableState& slot) { return {slot.pid, slot.pidNamespace, slot.startTime}; }

bool Liveness::isDead(std::uint32_t slot, bool thorough) const {
  if (slot == ownSlot_) return false;
  if (LifeWord::saysDead(segment_.slot(slot).life.load(std::memory_order_acquire))) return true;
  return thorough && !segment_.isSlotClaimed(slot);
}

bool Liveness::isDeserted(std::uint32_t slot) const { return slot != ownSlot_ && !segment_.isSlotClaimed(slot); }

bool Liveness::fence(std::uint32_t slot) const {
  const SlotTableState& table = segment_.slot(slot);
  if (isDead(slot, true)) return true;
  if (!killForSure(identityOf(table))) return false;
  log::warn("killed pid {} in slot {}: it was silent and held a lock", table.pid, slot);
  const Deadline deadline = Deadline::in(kFenceLimit);
  while (!isDead(slot, true)) {
    if (deadline.passed()) return false;
    sched_yield();
  }
  return true;
}

OwnerState Liveness::ownerState(Member owner) {
  if (owner.slot >= segment_.geometry().capacity) return OwnerState::dead;  // garbage: nobody's
  const SlotWord word = SlotWord::unpack(segment_.slot(owner.slot).word.load(std::memory_order_seq_cst));
  if ((word.incarnation & kIncarnationMask) != owner.incarnation || word.phase == Phase::free) {
    return OwnerState::dead;  // of a former member; a slot is given out anew only after its process is gone
  }
  if (owner.slot == ownSlot_) return OwnerState::alive;
  if (isDead(owner.slot, true)) return OwnerState::dead;
  // Who leaves in order holds the registry lock while its word says so already, and will release it.
  const bool isEvicted = word.phase == Phase::departed && word.departure == Departure::silent;
  const bool outOfTouch = isEvicted || silent_[owner.slot].load(std::memory_order_relaxed) == word.incarnation;
  if (!outOfTouch) return OwnerState::alive;
  if (segment_.silencePolicy() == SilencePolicy::evict && fence(owner.slot)) return OwnerState::dead;
  return OwnerState::stopped;
}

}  // namespace ronde::detail
