#pragma once

#include <algorithm>
#include <semaphore>

#include "ipc/sync/deadline.hpp"

namespace ronde::detail {

/// Lets the threads of one process pass one at a time: a mutex with a deadline that may be given back by another
/// thread than took it, and whose wait also ends when the caller says so. Private memory, nothing of it is shared.
class Turn {
 public:
  [[nodiscard]] bool tryTake() noexcept { return free_.try_acquire(); }

  /// False at the deadline, or once `mayWait()` is false (asked every 20 ms).
  template <class MayWait>
  [[nodiscard]] bool take(Deadline deadline, MayWait mayWait) {
    if (tryTake()) return true;
    constexpr std::chrono::nanoseconds kSlice = std::chrono::milliseconds(20);
    while (!deadline.passed() && mayWait()) {
      if (free_.try_acquire_for(std::min(deadline.remaining(), kSlice))) return true;
    }
    return false;
  }

  void giveBack() noexcept { free_.release(); }

 private:
  std::binary_semaphore free_{1};
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
