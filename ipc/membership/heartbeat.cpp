#include "ipc/membership/heartbeat.hpp"

#include <algorithm>
#include <utility>

namespace ronde::detail {

SilenceJudge::Verdict SilenceJudge::observe(Clock::time_point now, std::span<const HeartObservation> others) {
  const Clock::time_point lastLook = std::exchange(last_, now);
  // Late by more than half the limit beyond the rhythm: what looks like their silence may be our absence.
  const bool observerWasLate = std::exchange(started_, true) && now - lastLook > interval_ + limit_ / 2;

  Verdict verdict;
  for (const auto& [member, beats, beatAt, departed] : others) {
    Known& known = known_[member.slot];
    const bool isNew = known.incarnation != member.incarnation;
    if (isNew || known.beats != beats) {
      if (!isNew) verdict.beating.push_back(member);
      const bool isPossible = lastLook <= beatAt && beatAt <= now && !observerWasLate;
      known = {member.incarnation, beats, isPossible ? std::max(beatAt, now - interval_) : now, false};
    } else if (observerWasLate) {
      known.silentSince = now;
    }
  }

  const auto isSilentFor = [&](Member member, std::chrono::nanoseconds limit) {
    return now - known_[member.slot].silentSince > limit;
  };
  std::size_t present = 0;
  std::size_t silent = 0;
  std::size_t fading = 0;
  for (const HeartObservation& other : others) {
    const bool isSilent = isSilentFor(other.member, limit_);
    if (isSilent) verdict.silent.push_back(other.member);
    if (other.departed) continue;
    ++present;
    silent += isSilent ? 1 : 0;
    // Hearts that stopped together had their last beats at different moments of one interval.
    fading += isSilentFor(other.member, limit_ - interval_) ? 1 : 0;
  }
  const bool looksLikePauseOfAll = silent > 0 && fading > 1 && fading * 2 > present;
  if (looksLikePauseOfAll) {
    for (const HeartObservation& other : others) {
      Known& known = known_[other.member.slot];
      if (known.forgiven || !isSilentFor(other.member, limit_ - interval_)) continue;
      known.forgiven = true;
      known.silentSince = now;
      std::erase(verdict.silent, other.member);
    }
  }
  for (const HeartObservation& other : others) {
    const auto due = known_[other.member.slot].silentSince + limit_ + Clock::duration(1);
    if (due > now) verdict.nextDue = std::min(verdict.nextDue, due);
  }
  return verdict;
}

}  // namespace ronde::detail
