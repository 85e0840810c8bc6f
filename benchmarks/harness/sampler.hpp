#pragma once

#include <vector>

#include "benchmarks/harness/clock.hpp"
#include "benchmarks/harness/figure.hpp"

namespace ronde::bench {

/// Collects times for a while, after a warm-up whose times it forgets.
class Sampler {
 public:
  explicit Sampler(double seconds) : Sampler(seconds, seconds / 5) {}
  Sampler(double seconds, double warmUp) : samples_(kMost) {
    begin_ = ticks() + ticksOf(warmUp);
    end_ = begin_ + ticksOf(seconds);
  }

  /// True while more samples are wanted, at least one in any case.
  [[nodiscard]] bool wants(Ticks now) const { return count_ < kMost && (now < end_ || count_ == 0); }
  /// `duration` ended at `now`.
  void add(Ticks duration, Ticks now) {
    if (now >= begin_ && count_ < kMost) samples_[count_++] = duration;
  }

  /// In nanoseconds; `parts` is in how many equal parts each duration is cut, e.g. 2 for half a round trip.
  [[nodiscard]] Figure figure(double parts = 1) const {
    std::vector<double> values(count_);
    for (std::size_t i = 0; i < count_; ++i) values[i] = nanoseconds(samples_[i]) / parts;
    return summarize(values);
  }

 private:
  static constexpr std::size_t kMost = 1 << 19;

  std::vector<Ticks> samples_;  // written by the constructor, so that measuring meets no page fault
  std::size_t count_ = 0;
  Ticks begin_ = 0;
  Ticks end_ = 0;
};

}  // namespace ronde::bench
