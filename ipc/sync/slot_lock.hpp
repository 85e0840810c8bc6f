#pragma once

#include <atomic>
#include <ronde/types.hpp>

#include "ipc/sync/deadline.hpp"
#include "ipc/sync/futex.hpp"

namespace ronde::detail {

/// What is known of the process that owns a lock.
enum class OwnerState {
  alive,
  dead,     ///< its process is gone: its lock may be taken over
  stopped,  ///< silent beyond the limit, and may not or cannot be killed
};

/// Answers for the owners of locks. The membership layer implements it; tests use a stub.
class OwnerOracle {
 public:
  OwnerOracle() = default;
  OwnerOracle(const OwnerOracle&) = delete;
  OwnerOracle& operator=(const OwnerOracle&) = delete;
  virtual ~OwnerOracle() = default;
  /// Asked for the owner of a lock that somebody has waited for. May fence a silent owner (SIGKILL), so that it
  /// can be reported dead.
  virtual OwnerState ownerState(Member owner) = 0;
  /// False once the asking process wants its own waits to end (it is stopping). Asked between slices of waiting.
  [[nodiscard]] virtual bool mayWait() const noexcept { return true; }

  /// The asking process gives its membership up: a thread of it that gets a mailbox's lock after this writes
  /// nothing, since anybody may take that over once the slot is given back. For ever. SYNC: departure. The order,
  /// all of it sequentially consistent, so that whoever reads false had its lock before stop() looked:
  ///   stop():  retire();  wait until no lock names us;  give the slot back
  ///   push():  take the lock;  look at isRetired();  write
  void retire() noexcept { retired_.store(true, std::memory_order_seq_cst); }
  [[nodiscard]] bool isRetired() const noexcept { return retired_.load(std::memory_order_seq_cst); }

 private:
  std::atomic<bool> retired_{false};
};

enum class [[nodiscard]] LockResult{
    acquired,
    ownerDied,  ///< acquired from a dead owner: what the lock protects may be half-written
    timeout,
    ownerStopped,  ///< not acquired: the owner is stopped and stays
};

inline bool holdsLock(LockResult result) {
  return result == LockResult::acquired || result == LockResult::ownerDied;
}

/// A lock word in the segment. It names its owner, so that it can be taken over from a dead one; it holds no
/// pointer and is on no list, so garbage in it can neither crash nor mislead anybody beyond this lock.
///
///   bit 31: somebody sleeps | bits 30..10: incarnation (low 21 bits) | bits 9..0: slot + 1 | all 0: free
///
/// Who writes: anyone, by CAS from 0 to itself; the owner, to 0; a waiter, bit 31; and whoever the oracle tells
/// that the owner is dead, by CAS on the exact value. There is no ABA: a member that is dead never locks again (a
/// thread that outlives stop() may, but writes nothing, see OwnerOracle::retire()), and whoever gets its slot has
/// another incarnation (the low 21 bits of it: a name that nobody needed for two
/// million owners of the slot could be taken for its present one). What a death leaves: the owner's name, until
/// somebody needs the lock, which may be long after the slot has its next owner (Liveness calls former
/// incarnations dead). Nothing slow is done under it: no waiting, no user code, no log; on the mailboxes' locks
/// also no system call and no allocation. Several threads of a process may use it: the word names the process, and
/// unlocks come from the locking thread.
class SlotLock {
 public:
  /// Waits for the lock until `deadline`, or until the oracle says that we may not wait. Asks the oracle about the
  /// owner after each slice of waiting.
  LockResult lock(Member self, OwnerOracle& oracle, const Deadline& deadline) noexcept {
    std::uint32_t expected = 0;
    if (word_.compare_exchange_strong(expected, ownerWord(self), std::memory_order_seq_cst)) {
      return LockResult::acquired;
    }
    return lockSlow(self, oracle, deadline);
  }

  /// One attempt, which also takes the lock from an owner that the oracle calls dead.
  LockResult tryLock(Member self, OwnerOracle& oracle) noexcept;

  /// The caller holds the lock. A full barrier (SYNC: wake-word).
  void unlock() noexcept {
    if ((word_.exchange(0, std::memory_order_seq_cst) & kSleepers) != 0) futexWakeAll(word_);
  }

  /// Gives back what `self` took, unless it is another's by now: for a caller that has left the group meanwhile,
  /// so that anybody may take its locks over.
  void unlockIfHeldBy(Member self) noexcept {
    std::uint32_t seen = word_.load(std::memory_order_seq_cst);
    while ((seen & ~kSleepers) == ownerWord(self)) {
      if (!word_.compare_exchange_strong(seen, 0, std::memory_order_seq_cst)) continue;
      if ((seen & kSleepers) != 0) futexWakeAll(word_);
      return;
    }
  }

  /// True if `owner` holds it now.
  [[nodiscard]] bool isHeldBy(Member owner) const noexcept {
    return (word_.load(std::memory_order_seq_cst) & ~kSleepers) == ownerWord(owner);
  }

  [[nodiscard]] static std::uint32_t ownerWord(Member owner) noexcept {
    return ((owner.incarnation & kIncarnationMask) << kSlotBits) | (owner.slot + 1);
  }

 private:
  static constexpr std::uint32_t kSleepers = 1U << 31;
  static constexpr std::uint32_t kSlotBits = 10;
  static constexpr std::uint32_t kIncarnationMask = (1U << 21) - 1;
  static_assert(kMaxMembers < (1 << kSlotBits));

  LockResult lockSlow(Member self, OwnerOracle& oracle, const Deadline& deadline) noexcept;
  /// Takes the lock over if the owner in `seen` is dead.
  LockResult takeOver(std::uint32_t seen, Member self, OwnerOracle& oracle) noexcept;

  Word word_;
};

static_assert(sizeof(SlotLock) == 4);

/// Unlocks at the end of a scope.
class SlotLockGuard {
 public:
  explicit SlotLockGuard(SlotLock& lock) : lock_(&lock) {}
  SlotLockGuard(const SlotLockGuard&) = delete;
  SlotLockGuard& operator=(const SlotLockGuard&) = delete;
  ~SlotLockGuard() { unlock(); }
  void unlock() noexcept {
    if (lock_ != nullptr) lock_->unlock();
    lock_ = nullptr;
  }

 private:
  SlotLock* lock_;
};

}  // namespace ronde::detail
