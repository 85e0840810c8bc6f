#pragma once

#include <algorithm>
#include <chrono>

namespace ronde::detail {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC: stands still while the host is suspended

/// The moment at which a call gives up.
class Deadline {
 public:
  static Deadline in(std::chrono::nanoseconds limit) {
    const Clock::time_point now = Clock::now();
    const auto room = Clock::time_point::max() - now;
    return Deadline(limit >= room ? Clock::time_point::max() : now + limit);
  }
  static Deadline passedAlready() { return Deadline(Clock::time_point::min()); }

  [[nodiscard]] bool passed() const { return remaining().count() <= 0; }
  [[nodiscard]] std::chrono::nanoseconds remaining() const {
    if (at_ == Clock::time_point::min()) return std::chrono::nanoseconds(0);
    return std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(at_ - Clock::now()));
  }

 private:
  explicit Deadline(Clock::time_point at) : at_(at) {}
  Clock::time_point at_;
};

}  // namespace ronde::detail
