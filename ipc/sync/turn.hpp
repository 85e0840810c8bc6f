#pragma once

#include <algorithm>

#include "ipc/sync/deadline.hpp"
#include "ipc/sync/futex.hpp"

namespace ronde::detail {

/// Lets the threads of one process pass one at a time: a mutex with a deadline that may be given back by another
/// thread than took it, and whose wait also ends when the caller says so. Private memory, nothing of it is shared.
/// (std::binary_semaphore makes a system call for each release, also if nobody waits.)
class Turn {
 public:
  [[nodiscard]] bool tryTake() noexcept {
    std::uint32_t expected = kFree;
    return word_.compare_exchange_strong(expected, kTaken, std::memory_order_acquire);
  }

  /// False at the deadline, or once `mayWait()` is false (asked every 20 ms).
  template <class MayWait>
  [[nodiscard]] bool take(const Deadline& deadline, MayWait mayWait) {
    if (tryTake()) return true;
    constexpr std::chrono::nanoseconds kSlice = std::chrono::milliseconds(20);
    while (!deadline.passed() && mayWait()) {
      // Others may sleep as well: whoever gets it after waiting leaves it marked.
      if (word_.exchange(kAwaited, std::memory_order_acquire) == kFree) return true;
      futexWait(word_, kAwaited, std::min(deadline.remaining(), kSlice));
    }
    return false;
  }

  void giveBack() noexcept {
    if (word_.exchange(kFree, std::memory_order_release) == kAwaited) futexWakeAll(word_);
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kTaken = 1;
  static constexpr std::uint32_t kAwaited = 2;
  Word word_{kFree};
};

/// Gives a turn back at the end of a scope.
class TurnGuard {
 public:
  explicit TurnGuard(Turn& turn) : turn_(turn) {}
  TurnGuard(const TurnGuard&) = delete;
  TurnGuard& operator=(const TurnGuard&) = delete;
  ~TurnGuard() { turn_.giveBack(); }

 private:
  Turn& turn_;
};

}  // namespace ronde::detail
