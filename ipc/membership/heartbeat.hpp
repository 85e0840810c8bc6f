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
  Clock::time_point beatAt;  ///< when it last beat, as the member says
  bool isMember = true;      ///< false: joins, leaves or is dead; judged, but no sign of a pause of all
};

/// Decides who is silent: a pure function of what was observed and when. Used by one thread.
///
/// A member is silent when its last beat is longer ago than the limit, in the observer's own time: a look counts
/// for an interval at most, however long the observer slept, was stopped, or the host paused before it.
///
/// When a beat was, the observer knows to within its own last two looks. The member's stamp is believed only if it
/// lies between them, and at most an interval back, so garbage there makes a verdict an interval early at worst.
/// Where it is not believed (also at the first look, and between time namespaces), the beat counts from the look.
///
/// If a member is silent, and more than one and more than half of the others have been for half the limit, then
/// the pause was most likely everybody's: all of these get one more limit, each once in its silence.
/// Who had it already does not count.
class SilenceJudge {
 public:
  SilenceJudge(std::chrono::nanoseconds interval, std::chrono::nanoseconds limit)
      : interval_(interval), limit_(limit) {}

  struct Verdict {
    std::vector<Member> silent;
    std::vector<Member> beating;  ///< whose beats changed since the last observation
    /// When the next of the others will be silent, should it not beat until then: a look then finds it at once,
    /// not up to an interval later. max() if there is none who is not silent already.
    Clock::time_point nextDue = Clock::time_point::max();
  };
  [[nodiscard]] Verdict observe(Clock::time_point now, std::span<const HeartObservation> others);

 private:
  struct Known {
    std::uint32_t incarnation = 0;
    std::uint64_t beats = 0;
    Clock::time_point silentSince;  ///< its last beat, or its forgiveness; later by what the observer was away
    bool forgiven = false;          ///< once per silence
  };
  std::chrono::nanoseconds interval_;
  std::chrono::nanoseconds limit_;
  std::array<Known, kMaxMembers> known_{};
  Clock::time_point last_{};
  bool started_ = false;
};

}  // namespace ronde::detail
