#include "ipc/membership/heartbeat.hpp"

#include <algorithm>
#include <utility>

namespace ronde::detail {

SilenceJudge::Verdict SilenceJudge::observe(Clock::time_point now, std::span<const HeartObservation> others) {
  const bool isFirstLook = !std::exchange(started_, true);
  const Clock::time_point lastLook = std::exchange(last_, now);
  // We look once an interval. For what is beyond that we were away ourselves, and others perhaps with us.
  const auto absence = isFirstLook ? Clock::duration(0) : std::max(now - lastLook - interval_, Clock::duration(0));

  Verdict verdict;
  for (const auto& [member, beats, beatAt, isMember] : others) {
    Known& known = known_[member.slot];
    const bool isNew = known.incarnation != member.incarnation;
    if (isNew || known.beats != beats) {
      if (!isNew) verdict.beating.push_back(member);
      const bool isPossible = !isFirstLook && lastLook <= beatAt && beatAt <= now;
      known = {member.incarnation, beats, isPossible ? std::max(beatAt, now - interval_) : now, false};
    } else {
      known.silentSince += absence;
    }
  }

  const auto isSilentFor = [&](Member member, std::chrono::nanoseconds limit) {
    return now - known_[member.slot].silentSince > limit;
  };
  std::size_t members = 0;
  std::size_t silent = 0;
  std::size_t fading = 0;
  for (const HeartObservation& other : others) {
    const bool isSilent = isSilentFor(other.member, limit_);
    if (isSilent) verdict.silent.push_back(other.member);
    // Whose silence was forgiven already says nothing about another pause.
    if (!other.isMember || known_[other.member.slot].forgiven) continue;
    ++members;
    silent += isSilent ? 1 : 0;
    // Hearts that stopped together had their last beats at different moments, in an interval or a little more.
    fading += isSilentFor(other.member, limit_ / 2) ? 1 : 0;
  }
  const bool looksLikePauseOfAll = silent > 0 && fading > 1 && fading * 2 > members;
  if (looksLikePauseOfAll) {
    for (const HeartObservation& other : others) {
      Known& known = known_[other.member.slot];
      if (known.forgiven || !isSilentFor(other.member, interval_)) continue;
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
