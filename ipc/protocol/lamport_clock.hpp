#pragma once

#include <algorithm>
#include <atomic>
#include <ronde/types.hpp>

namespace ronde::detail {

/// The logical clock of one process (Lamport 1978, rules IR1 and IR2). For user messages only: system traffic must
/// not touch it. Private memory. Thread-safe.
class LamportClock {
 public:
  [[nodiscard]] LamportTime now() const noexcept { return time_.load(std::memory_order_relaxed); }

  /// IR1, at a send: the stamp of the message.
  LamportTime tick() noexcept { return time_.fetch_add(1, std::memory_order_relaxed) + 1; }

  /// IR2, at a delivery: max(local, received) + 1.
  LamportTime merge(LamportTime received) noexcept {
    LamportTime local = now();
    LamportTime merged = 0;
    do {
      merged = std::max(local, received) + 1;
    } while (!time_.compare_exchange_weak(local, merged, std::memory_order_relaxed));
    return merged;
  }

 private:
  std::atomic<LamportTime> time_{0};
};

}  // namespace ronde::detail
