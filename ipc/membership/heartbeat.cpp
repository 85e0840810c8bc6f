#include "ipc/membership/heartbeat.hpp"

namespace ronde::detail {

SilenceJudge::Verdict SilenceJudge::observe(Clock::time_point now, std::span<const HeartObservation> others) {
  // Late by more than half the limit beyond the rhythm: what looks like their silence may be our absence.
  const bool observerWasLate = started_ && now - last_ > interval_ + limit_ / 2;
  started_ = true;
  last_ = now;

  Verdict verdict;
  std::size_t present = 0;
  std::size_t presentSilent = 0;
  for (const auto& [member, beats, departed] : others) {
    present += departed ? 0 : 1;
    Known& known = known_[member.slot];
    const bool isNew = known.incarnation != member.incarnation;
    if (isNew || known.beats != beats) {
      if (!isNew) verdict.beating.push_back(member);
      known = {member.incarnation, beats, now, false};
    } else if (observerWasLate) {
      known.changed = now;
    } else if (now - known.changed > limit_) {
      verdict.silent.push_back(member);
      presentSilent += departed ? 0 : 1;
    }
  }

  const bool looksLikePauseOfAll = presentSilent > 1 && presentSilent * 2 > present;
  if (looksLikePauseOfAll) {
    std::erase_if(verdict.silent, [&](const Member& member) {
      Known& known = known_[member.slot];
      if (known.forgiven) return false;
      known.forgiven = true;
      known.changed = now;
      return true;
    });
  }
  return verdict;
}

}  // namespace ronde::detail
