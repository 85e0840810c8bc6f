#include "ipc/sync/slot_lock.hpp"

#include <sched.h>

#include "ipc/sync/wait.hpp"

namespace ronde::detail {
namespace {

constexpr std::chrono::microseconds kYieldFor{50};
constexpr std::chrono::milliseconds kSlice{5};

}  // namespace

LockResult SlotLock::tryLock(Member self, OwnerOracle& oracle) noexcept {
  std::uint32_t seen = 0;
  if (word_.compare_exchange_strong(seen, ownerWord(self), std::memory_order_seq_cst)) return LockResult::acquired;
  const LockResult result = takeOver(seen, self, oracle);
  return holdsLock(result) ? result : LockResult::timeout;
}

LockResult SlotLock::takeOver(std::uint32_t seen, Member self, OwnerOracle& oracle) noexcept {
  if (seen == 0) {
    std::uint32_t expected = 0;
    return word_.compare_exchange_strong(expected, ownerWord(self), std::memory_order_seq_cst)
               ? LockResult::acquired
               : LockResult::timeout;
  }
  const std::uint32_t slotPlusOne = seen & ((1U << kSlotBits) - 1);
  const Member owner{slotPlusOne - 1, (seen >> kSlotBits) & kIncarnationMask};
  const OwnerState state = slotPlusOne == 0 ? OwnerState::dead : oracle.ownerState(owner);
  if (state == OwnerState::stopped) return LockResult::ownerStopped;
  if (state == OwnerState::alive) return LockResult::timeout;
  // Exactly the value judged: if the owner changed meanwhile, the judgement does not apply. The sleepers bit
  // stays, so that our unlock wakes them.
  return word_.compare_exchange_strong(seen, ownerWord(self) | kSleepers, std::memory_order_seq_cst)
             ? LockResult::ownerDied
             : LockResult::timeout;
}

LockResult SlotLock::lockSlow(Member self, OwnerOracle& oracle, const Deadline& deadline) noexcept {
  const Clock::time_point start = Clock::now();
  // Critical sections are tens of nanoseconds: the owner is most likely running, or was preempted and needs the
  // core.
  do {
    for (int i = 0; i < 16; ++i) {
      if (word_.load(std::memory_order_relaxed) == 0) {
        std::uint32_t expected = 0;
        if (word_.compare_exchange_strong(expected, ownerWord(self), std::memory_order_seq_cst)) {
          return LockResult::acquired;
        }
      }
      cpuRelax();
    }
    sched_yield();
  } while (Clock::now() - start < kYieldFor);

  for (;;) {
    std::uint32_t seen = word_.load(std::memory_order_relaxed);
    const LockResult result = takeOver(seen, self, oracle);
    if (holdsLock(result)) return result;
    const auto remaining = deadline.remaining();
    if (remaining.count() <= 0 || !oracle.mayWait()) return result;
    if (seen == 0) continue;
    // The sleepers bit goes in before sleeping; the kernel compares the whole word, so an owner change in between
    // ends the sleep at once.
    if ((seen & kSleepers) == 0 &&
        !word_.compare_exchange_strong(seen, seen | kSleepers, std::memory_order_seq_cst)) {
      continue;
    }
    futexWait(word_, seen | kSleepers, std::min<std::chrono::nanoseconds>(remaining, kSlice));
    // Others may sleep as well: whoever gets the lock after sleeping keeps the bit set.
    std::uint32_t expected = 0;
    if (word_.compare_exchange_strong(expected, ownerWord(self) | kSleepers, std::memory_order_seq_cst)) {
      return LockResult::acquired;
    }
  }
}

}  // namespace ronde::detail
