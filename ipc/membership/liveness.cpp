#include "ipc/membership/liveness.hpp"

#include <sched.h>

#include "ipc/log.hpp"
#include "ipc/sync/life_word.hpp"

namespace ronde::detail {
namespace {

constexpr std::uint32_t kIncarnationMask = (1U << 21) - 1;  // what a lock word keeps of an incarnation
constexpr std::chrono::milliseconds kFenceLimit{50};
/// From the end of the service thread to that of the process's last thread.
constexpr std::chrono::milliseconds kTeardownLimit{2};

std::uint32_t milliseconds() {
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch());
  return static_cast<std::uint32_t>(now.count());
}

}  // namespace

ProcessIdentity identityOf(const SlotTableState& slot) { return {slot.pid, slot.pidNamespace, slot.startTime}; }

bool Liveness::isDead(std::uint32_t slot, bool thorough) const {
  if (slot == ownSlot_) return false;
  if (LifeWord::saysDead(segment_.slot(slot).life.load(std::memory_order_acquire))) return true;
  return thorough && !segment_.isSlotClaimed(slot);
}

bool Liveness::isDeserted(std::uint32_t slot) const { return slot != ownSlot_ && !segment_.isSlotClaimed(slot); }

void Liveness::noteSilent(Member member, std::uint64_t beats) noexcept {
  silentAtBeat_[member.slot].store(beats, std::memory_order_relaxed);
  silent_[member.slot].store((std::uint64_t{member.incarnation} << 32) | milliseconds(),
                             std::memory_order_relaxed);
}

bool Liveness::isSilentNow(Member member) const noexcept {
  const std::uint64_t note = silent_[member.slot].load(std::memory_order_relaxed);
  if (note == 0 || (note >> 32) != member.incarnation) return false;
  const auto age = std::chrono::milliseconds(milliseconds() - static_cast<std::uint32_t>(note));
  return age <= 2 * segment_.heartbeatInterval() && !hasBeatenSince(member.slot);
}

bool Liveness::hasBeatenSince(std::uint32_t slot) const noexcept {
  return segment_.slot(slot).beats.load(std::memory_order_acquire) !=
         silentAtBeat_[slot].load(std::memory_order_relaxed);
}

bool Liveness::isGone(std::uint32_t slot) const {
  if (slot == ownSlot_) return false;
  const bool isDying = LifeWord::saysDead(segment_.slot(slot).life.load(std::memory_order_acquire));
  const Deadline deadline = isDying ? Deadline::in(kTeardownLimit) : Deadline::passedAlready();
  while (!isDeserted(slot)) {
    if (deadline.passed()) return false;
    sched_yield();
  }
  return true;
}

bool Liveness::fence(std::uint32_t slot, SlotWord judged) const {
  if (isGone(slot)) return true;
  if (!isSilentNow({slot, judged.incarnation})) return false;
  const SlotTableState& table = segment_.slot(slot);
  const ProcessIdentity identity = identityOf(table);
  // A newcomer changes the word before it writes who it is, so this is the identity of the one that was judged.
  if (table.word.load(std::memory_order_seq_cst) != judged.pack()) return false;
  const PinnedProcess process(identity);
  // What the table says may be damaged; whose file lock it is, the kernel knows.
  if (segment_.isSlotOfAnother(slot, identity.pid)) return false;
  // Asking took a while. The note may be old by now, since who renews it may be waiting for us; the heart is not.
  if (table.word.load(std::memory_order_seq_cst) != judged.pack() || hasBeatenSince(slot)) return false;
  // Most likely killed already, and to free its memory takes a while; but the service thread may have ended alone.
  const bool isDying = isDead(slot, false);
  if (!process.killForSure() || isDying) return false;
  log::warn("killed pid {} in slot {}: it was silent and held a lock", identity.pid, slot);
  const Deadline deadline = Deadline::in(kFenceLimit);
  while (!isDeserted(slot)) {
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
  if (isGone(owner.slot)) return OwnerState::dead;
  // Also one that leaves, or was evicted and runs again, may hold a lock for a moment, and will release it.
  if (!isSilentNow({owner.slot, word.incarnation})) return OwnerState::alive;
  if (segment_.silencePolicy() == SilencePolicy::evict && fence(owner.slot, word)) return OwnerState::dead;
  return isDead(owner.slot, false) ? OwnerState::alive : OwnerState::stopped;
}

}  // namespace ronde::detail
