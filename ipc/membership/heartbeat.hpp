#pragma once

#include <array>
#include <ronde/types.hpp>
#include <span>
#include <vector>

#include "ipc/sync/deadline.hpp"

namespace ronde::detail {

/// What an observer sees of a member's heart at one moment.
struct HeartObservation {
  Member member;
  std::uint64_t beats = 0;
  bool departed = false;  ///< it is leaving, or dead: judged, but no sign of a pause of all
};

/// Decides who is silent: a pure function of what was observed and when, judged by the observer's own clock alone,
/// so that no stamp in the segment is trusted. Used by one thread.
///
/// A member is silent when its beats have not changed for the limit. Nobody is judged
///  - by an observer that was itself late (it slept, was stopped, or the host paused): everybody gets a fresh
///  limit;
///  - once, if more than one and more than half of the others look silent together: then the pause was most likely
///    everybody's; they get one more limit, and are judged after it.
class SilenceJudge {
 public:
  SilenceJudge(std::chrono::nanoseconds interval, std::chrono::nanoseconds limit)
      : interval_(interval), limit_(limit) {}

  struct Verdict {
    std::vector<Member> silent;
    std::vector<Member> beating;  ///< whose beats changed since the last observation
  };
  [[nodiscard]] Verdict observe(Clock::time_point now, std::span<const HeartObservation> others);

 private:
  struct Known {
    std::uint32_t incarnation = 0;
    std::uint64_t beats = 0;
    Clock::time_point changed;
    bool forgiven = false;  ///< once per silence
  };
  std::chrono::nanoseconds interval_;
  std::chrono::nanoseconds limit_;
  std::array<Known, kMaxMembers> known_{};
  Clock::time_point last_{};
  bool started_ = false;
};

}  // namespace ronde::detail
