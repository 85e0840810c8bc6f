#pragma once

#include <chrono>

#include "ipc/sync/futex.hpp"

namespace ronde::detail {

/// A lock between the threads of one process, for sections that are short as a rule and entered for each message.
/// Giving it back is a plain store, where std::mutex takes a read-modify-write (measured in turns, in one process:
/// 16 bytes sent and received 81 -> 76 ns, published 147 -> 133 ns). Its price: unlock() may miss who is only just
/// falling asleep, so a sleeper looks again by itself after `slice`; and it is no barrier, so a caller that rings
/// somebody after it needs another (WakeWord). Private memory, nothing of it is shared; no
/// deadline: the holder dies and stops with its waiters, and waits under it at most 100 ms itself. To be destroyed
/// only when every unlock() has returned.
class BriefLock {
 public:
  explicit BriefLock(std::chrono::nanoseconds slice = std::chrono::milliseconds(1)) : slice_(slice) {}

  void lock() noexcept {
    while (!try_lock()) {
      // Asked for again by each that was woken: one wake-up takes the mark away for all.
      awaited_.store(true, std::memory_order_seq_cst);
      if (try_lock()) return;
      futexWait(word_, kTaken, slice_);
    }
  }
  [[nodiscard]] bool try_lock() noexcept {
    std::uint32_t expected = kFree;
    return word_.compare_exchange_strong(expected, kTaken, std::memory_order_acquire, std::memory_order_relaxed);
  }
  void unlock() noexcept {
    word_.store(kFree, std::memory_order_release);
    if (!awaited_.load(std::memory_order_relaxed)) return;
    awaited_.store(false, std::memory_order_relaxed);
    futexWakeAll(word_);
  }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kTaken = 1;
  Word word_{kFree};
  std::atomic<bool> awaited_{false};
  const std::chrono::nanoseconds slice_;
};

}  // namespace ronde::detail
