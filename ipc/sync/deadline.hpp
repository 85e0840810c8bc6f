#pragma once

#include <algorithm>
#include <chrono>

namespace ronde::detail {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC: stands still while the host is suspended

/// The moment at which a call gives up. It is fixed when it is asked for the first time, that is when the call
/// first has to wait, so that a call that need not wait reads no clock. Passed on by reference, so that the parts
/// of a call share one; used by one thread.
class Deadline {
 public:
  static Deadline in(std::chrono::nanoseconds limit) { return Deadline(limit); }
  static Deadline passedAlready() { return Deadline(std::chrono::nanoseconds(0)); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  [[nodiscard]] bool passed() const { return remaining().count() <= 0; }
  [[nodiscard]] std::chrono::nanoseconds remaining() const {
    constexpr std::chrono::nanoseconds kNone(0);
    if (limit_ <= kNone) return kNone;
    const Clock::time_point now = Clock::now();
    if (at_ == Clock::time_point::min()) {
      at_ = limit_ >= Clock::time_point::max() - now ? Clock::time_point::max() : now + limit_;
    }
    return std::max(kNone, std::chrono::nanoseconds(at_ - now));
  }

 private:
  explicit Deadline(std::chrono::nanoseconds limit) : limit_(limit) {}
  std::chrono::nanoseconds limit_;
  mutable Clock::time_point at_ = Clock::time_point::min();
};

}  // namespace ronde::detail
