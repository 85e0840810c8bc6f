// SilenceJudge is a pure function of what was observed and when, so no time passes here.

#include "ipc/membership/heartbeat.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "tests/support/catch.hpp"
#include "tests/support/random.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

namespace {

constexpr milliseconds kInterval{500};
constexpr milliseconds kLimit{2000};

/// An observer that looks once per interval at some members, of whom some beat.
class Ward {
 public:
  explicit Ward(std::uint32_t members, milliseconds limit = kLimit) : judge_(kInterval, limit) {
    for (std::uint32_t slot = 0; slot < members; ++slot) hearts_.push_back({{slot, 1}, 1, {}, true});
  }
  HeartObservation& heart(std::uint32_t slot) { return hearts_.at(slot); }
  /// From a beat of that member to the observer's next look.
  void setPhase(std::uint32_t slot, nanoseconds phase) { phase_[slot] = phase; }
  void stop(std::uint32_t slot) { stopped_[slot] = true; }
  void resume(std::uint32_t slot) { stopped_[slot] = false; }

  SilenceJudge::Verdict look(nanoseconds later = kInterval) {
    now_ += later;
    for (HeartObservation& heart : hearts_) {
      if (stopped_[heart.member.slot]) continue;
      ++heart.beats;
      heart.beatAt = now_ - phase_[heart.member.slot];
    }
    return judge_.observe(now_, hearts_);
  }
  /// In the observer's rhythm, and then at the end of `time`; expects nobody to be silent before.
  SilenceJudge::Verdict lookFor(nanoseconds time) {
    for (; time > kInterval; time -= kInterval) CHECK(look().silent.empty());
    return look(time);
  }
  /// From the last look to the next verdict, if every member falls silent. Nothing: all are.
  [[nodiscard]] std::optional<nanoseconds> untilDue(const SilenceJudge::Verdict& verdict) const {
    if (verdict.nextDue == Clock::time_point::max()) return std::nullopt;
    return verdict.nextDue - now_;
  }
  /// Looks for so long as nobody is silent; how long that took.
  milliseconds lookUntilSilent() {
    milliseconds passed{0};
    while (passed < milliseconds(60'000)) {
      const auto verdict = look();
      passed += kInterval;
      if (!verdict.silent.empty()) return passed;
    }
    return passed;
  }

 private:
  std::vector<HeartObservation> hearts_;
  std::map<std::uint32_t, bool> stopped_;
  std::map<std::uint32_t, nanoseconds> phase_;
  SilenceJudge judge_;
  Clock::time_point now_{std::chrono::hours(1)};
};

bool isSilent(const SilenceJudge::Verdict& verdict, std::uint32_t slot) {
  return std::any_of(verdict.silent.begin(), verdict.silent.end(),
                     [&](const Member& member) { return member.slot == slot; });
}

}  // namespace

TEST_CASE("silence: who beats is beating and never silent", "[membership]") {
  Ward ward(4);
  CHECK(ward.look().beating.empty());  // the first look has nothing to compare with
  for (int i = 0; i < 100; ++i) {
    const auto verdict = ward.look();
    REQUIRE(verdict.silent.empty());
    REQUIRE(verdict.beating.size() == 4);
  }
}

// Specification: silent for longer than HEARTBEAT_TIMEOUT.
TEST_CASE("silence: one member is silent after the limit and not before", "[membership]") {
  Ward ward(4);
  ward.look();
  ward.look();
  ward.stop(2);
  milliseconds passed{0};
  while (passed < kLimit) {
    const auto verdict = ward.look();
    passed += kInterval;
    CHECK(verdict.silent.empty());
    CHECK(verdict.beating.size() == 3);
  }
  const auto verdict = ward.look();
  REQUIRE(verdict.silent == std::vector<Member>{{2, 1}});
  CHECK(isSilent(ward.look(), 2));  // for as long as it lasts
  ward.resume(2);
  CHECK(ward.look().silent.empty());
  CHECK(ward.look().beating.size() == 4);
}

// So that the observer can look then, and not only at the next beat of its own.
TEST_CASE("silence: a look tells when the next verdict is due, and a look at that moment finds it",
          "[membership]") {
  constexpr nanoseconds kPastLimit = kLimit + nanoseconds(1);
  Ward ward(4);
  CHECK(ward.untilDue(ward.look()) == kPastLimit);
  ward.look();
  ward.stop(2);
  for (milliseconds passed = kInterval; passed < kLimit; passed += kInterval) {
    CHECK(ward.untilDue(ward.look()) == kPastLimit - passed);
  }
  SECTION("the silence lasts") {
    const auto verdict = ward.look();  // exactly the limit
    CHECK(verdict.silent.empty());
    CHECK(ward.untilDue(verdict) == nanoseconds(1));
    CHECK(ward.look(nanoseconds(1)).silent == std::vector<Member>{{2, 1}});
  }
  SECTION("it ends at the last moment") {
    ward.resume(2);
    const auto verdict = ward.look();
    CHECK(verdict.silent.empty());
    CHECK(ward.untilDue(verdict) == kPastLimit);
  }
  SECTION("who is silent already is due no more") {
    ward.look();
    CHECK(ward.look(nanoseconds(1)).silent.size() == 1);
    CHECK(ward.untilDue(ward.look()) == kPastLimit);  // the others
    for (const std::uint32_t slot : {0U, 1U, 3U}) ward.stop(slot);
    for (int looks = 0; looks < 20; ++looks) ward.look();
    const auto verdict = ward.look();
    CHECK(verdict.silent.size() == 4);
    CHECK(!ward.untilDue(verdict));
  }
}

TEST_CASE("silence: a pause of all that was forgiven is due after one more limit", "[membership]") {
  Ward ward(3);
  ward.look();
  ward.look();
  for (const std::uint32_t slot : {0U, 1U, 2U}) ward.stop(slot);
  CHECK(ward.lookFor(kLimit).silent.empty());
  const auto verdict = ward.look(nanoseconds(1));
  CHECK(verdict.silent.empty());
  CHECK(ward.untilDue(verdict) == kLimit + nanoseconds(1));
}

TEST_CASE("silence: the limit counts from the beat, not from the look that saw it", "[membership]") {
  Ward ward(4);
  ward.setPhase(2, milliseconds(400));
  ward.look();
  ward.look();
  ward.stop(2);
  CHECK(ward.lookFor(kLimit - milliseconds(400)).silent.empty());
  CHECK(ward.look(nanoseconds(1)).silent == std::vector<Member>{{2, 1}});
}

// What came before it, nobody has seen.
TEST_CASE("silence: the first look believes no stamp", "[membership]") {
  Ward ward(4);
  ward.setPhase(2, milliseconds(400));
  ward.look();
  ward.stop(2);
  CHECK(ward.lookFor(kLimit).silent.empty());
  CHECK(ward.look(nanoseconds(1)).silent == std::vector<Member>{{2, 1}});
}

// F3, for any limit that Options allows: the observer and the other one stop together and go on together, and the
// observer is the first to run. The other has all but two intervals of the limit left to beat.
TEST_CASE("silence: a pause of two is nobody's silence, however long it is", "[membership]") {
  for (const milliseconds limit : {3 * kInterval, kLimit, 6 * kInterval, 10 * kInterval}) {
    for (milliseconds pause{10}; pause < 2 * limit; pause += milliseconds(10)) {
      for (milliseconds phase{0}; phase <= kInterval; phase += milliseconds(50)) {
        Ward ward(1, limit);
        ward.setPhase(0, phase);
        ward.look();
        ward.look();
        ward.look();
        ward.stop(0);
        CAPTURE(limit.count(), pause.count(), phase.count());
        if (!ward.look(pause).silent.empty()) FAIL("judged for a pause of both");
        if (!ward.look(limit - 2 * kInterval).silent.empty()) FAIL("judged soon after a pause of both");
      }
    }
  }
}

// Whatever stands there: of garbage, of another clock, or of a beat before the one that was seen.
TEST_CASE("silence: an impossible stamp makes no verdict early", "[membership]") {
  Ward ward(4);
  ward.look();
  ward.look();
  SECTION("it lies in the future") { ward.setPhase(2, nanoseconds(-1)); }
  SECTION("far in the future") { ward.setPhase(2, std::chrono::hours(-200'000)); }
  SECTION("before the look that did not see it") { ward.setPhase(2, kInterval + nanoseconds(1)); }
  SECTION("before the observer's time") { ward.setPhase(2, std::chrono::hours(200'000)); }
  ward.look();
  ward.stop(2);
  CHECK(ward.lookFor(kLimit).silent.empty());
  CHECK(ward.look(nanoseconds(1)).silent == std::vector<Member>{{2, 1}});
}

TEST_CASE("silence: a stamp makes a verdict early by an interval at most", "[membership]") {
  Ward ward(4);
  ward.look();
  ward.setPhase(2, 2 * kInterval);
  CHECK(ward.look(2 * kInterval).silent.empty());
  ward.stop(2);
  CHECK(ward.lookFor(kLimit - kInterval).silent.empty());
  CHECK(ward.look(nanoseconds(1)).silent == std::vector<Member>{{2, 1}});
}

TEST_CASE("silence: of two members the other one is judged at once", "[membership]") {
  Ward ward(1);
  ward.look();
  ward.stop(0);
  CHECK(ward.lookUntilSilent() == kLimit + kInterval);
}

// F3: an observer that was itself away says nothing about the others, who may have been away as well.
TEST_CASE("silence: however long the observer was away, a look counts for one interval", "[membership]") {
  constexpr nanoseconds kPastLimit = kLimit + nanoseconds(1);
  Ward ward(4);
  ward.look();
  ward.look();
  ward.stop(1);
  SECTION("once") {
    const auto verdict = ward.look(milliseconds(60'000));
    CHECK(verdict.silent.empty());
    CHECK(ward.untilDue(verdict) == kPastLimit - kInterval);
  }
  SECTION("also for those that have beaten meanwhile") {
    ward.resume(1);
    ward.setPhase(1, milliseconds(30'000));
    CHECK(ward.untilDue(ward.look(milliseconds(60'000))) == kPastLimit - kInterval);
  }
  // On a machine that is always late, the silent are found all the same.
  SECTION("again and again") {
    for (milliseconds counted = kInterval; counted <= kLimit; counted += kInterval) {
      CHECK(ward.look(3 * kInterval).silent.empty());
    }
    CHECK(ward.look(3 * kInterval).silent == std::vector<Member>{{1, 1}});
  }
  SECTION("a little late") {
    const auto verdict = ward.look(kInterval + milliseconds(3));
    CHECK(ward.untilDue(verdict) == kPastLimit - kInterval);
  }
}

// F3: when more than half look silent together, the pause was most likely everybody's.
TEST_CASE("silence: a pause of all is forgiven once and judged after one more limit", "[membership]") {
  Ward ward(5);
  ward.look();
  ward.look();
  for (const std::uint32_t slot : {0U, 1U, 2U}) ward.stop(slot);
  const milliseconds passed = ward.lookUntilSilent();
  CHECK(passed > 2 * kLimit);
  CHECK(passed <= 2 * (kLimit + kInterval));
  CHECK(ward.look().silent.size() == 3);
}

// Their last beats were spread over an interval, of which the observer may have looked at any moment.
TEST_CASE("silence: hearts that stop together fall silent one after the other, and are forgiven all the same",
          "[membership]") {
  Ward ward(5);
  for (std::uint32_t slot = 0; slot < 4; ++slot) ward.setPhase(slot, milliseconds(100 * slot));
  ward.look();
  ward.look();
  milliseconds passed{0};
  const auto pass = [&](milliseconds time) {
    passed += time;
    return ward.look(time).silent.empty();
  };
  SECTION("between two looks") {
    for (const std::uint32_t slot : {0U, 1U, 2U}) ward.stop(slot);
  }
  SECTION("on both sides of a look") {
    for (const std::uint32_t slot : {1U, 2U}) ward.stop(slot);
    pass(milliseconds(50));
    ward.stop(0);
  }
  SECTION("and one of them was late with its last beat") {
    for (const std::uint32_t slot : {1U, 2U}) ward.stop(slot);
    for (int looks = 0; looks < 2; ++looks) pass(milliseconds(350));
    ward.stop(0);
  }
  while (pass(milliseconds(10)) && passed < 3 * kLimit) {
  }
  CHECK(passed > 2 * kLimit - kInterval);
  CHECK(passed <= 2 * kLimit + kInterval);
  CHECK(ward.look().silent.size() == 3);
}

// With SilencePolicy::wait, or where an eviction fails.
TEST_CASE("silence: whose silence was forgiven is no sign of another pause", "[membership]") {
  Ward ward(4);
  ward.look();
  ward.look();
  for (const std::uint32_t slot : {0U, 1U, 2U}) ward.stop(slot);
  for (int looks = 0; looks < 20; ++looks) ward.look();
  ward.stop(3);
  for (milliseconds passed = kInterval; passed <= kLimit; passed += kInterval) {
    CHECK(ward.look().silent.size() == 3);
  }
  CHECK(ward.look(nanoseconds(1)).silent.size() == 4);
}

TEST_CASE("silence: whose silence was forgiven is no sign against another pause", "[membership]") {
  Ward ward(6);
  ward.look();
  ward.look();
  for (const std::uint32_t slot : {0U, 1U, 2U, 3U}) ward.stop(slot);
  for (int looks = 0; looks < 20; ++looks) ward.look();
  for (const std::uint32_t slot : {4U, 5U}) ward.stop(slot);
  for (milliseconds passed{0}; passed < 2 * kLimit; passed += kInterval) CHECK(ward.look().silent.size() == 4);
}

TEST_CASE("silence: half of the others is no pause of all", "[membership]") {
  Ward ward(4);
  ward.look();
  ward.stop(0);
  ward.stop(3);
  CHECK(ward.lookUntilSilent() == kLimit + kInterval);
}

TEST_CASE("silence: the grace is given again after everybody came back", "[membership]") {
  Ward ward(3);
  ward.look();
  for (int pause = 0; pause < 3; ++pause) {
    for (const std::uint32_t slot : {0U, 1U, 2U}) ward.stop(slot);
    for (milliseconds passed{0}; passed < 2 * kLimit; passed += kInterval) CHECK(ward.look().silent.empty());
    for (const std::uint32_t slot : {0U, 1U, 2U}) ward.resume(slot);
    CHECK(ward.look().silent.empty());
    CHECK(ward.look().silent.empty());
  }
}

TEST_CASE("silence: one who does not come back after a pause of all is judged alone", "[membership]") {
  Ward ward(3);
  ward.look();
  for (const std::uint32_t slot : {0U, 1U, 2U}) ward.stop(slot);
  for (milliseconds passed{0}; passed <= kLimit; passed += kInterval) CHECK(ward.look().silent.empty());
  ward.resume(0);
  ward.resume(1);
  milliseconds passed{0};
  SilenceJudge::Verdict verdict;
  while (verdict.silent.empty() && passed < 3 * kLimit) {
    verdict = ward.look();
    passed += kInterval;
  }
  CHECK(verdict.silent == std::vector<Member>{{2, 1}});
  CHECK(passed <= kLimit + kInterval);
}

// A leaving member is judged, because it may be stopped with a lock in its hand; but leaving together is no pause.
TEST_CASE("silence: members that leave are judged and count as no pause of all", "[membership]") {
  Ward ward(4);
  ward.look();
  for (const std::uint32_t slot : {1U, 2U, 3U}) {
    ward.heart(slot).isMember = false;
    ward.stop(slot);
  }
  CHECK(ward.lookUntilSilent() == kLimit + kInterval);
  CHECK(ward.look().silent.size() == 3);
}

TEST_CASE("silence: a newcomer in a silent member's slot has its own limit", "[membership]") {
  Ward ward(3);
  ward.look();
  ward.stop(1);
  CHECK(ward.lookUntilSilent() == kLimit + kInterval);
  ward.heart(1).member.incarnation = 2;  // and its beats happen to be the former's
  CHECK(ward.look().silent.empty());
  CHECK(ward.lookUntilSilent() == kLimit + kInterval);
}

// Whatever the rhythm.
TEST_CASE("silence: in random runs nobody is judged within the limit of its last beat", "[membership]") {
  Random random;
  CAPTURE(random.seed());
  int judged = 0;
  for (int run = 0; run < 50; ++run) {
    SilenceJudge judge(kInterval, kLimit);
    Clock::time_point now{std::chrono::hours(1)};
    std::vector<HeartObservation> hearts;
    std::vector<Clock::time_point> lastBeat(6, now);
    for (std::uint32_t slot = 0; slot < 6; ++slot) hearts.push_back({{slot, 1}, 1, {}, true});
    for (int look = 0; look < 200; ++look) {
      const auto passed = milliseconds(1 + (random.oneIn(20) ? random.below(10'000) : random.below(600)));
      now += passed;
      for (std::uint32_t slot = 0; slot < 6; ++slot) {
        if (slot < 2 ? look % 40 > 20 : random.oneIn(10)) continue;
        ++hearts[slot].beats;
        lastBeat[slot] = now - nanoseconds(random.below(static_cast<std::uint64_t>(nanoseconds(passed).count())));
        hearts[slot].beatAt = lastBeat[slot];
      }
      for (const Member& member : judge.observe(now, hearts).silent) {
        REQUIRE(now - lastBeat[member.slot] > kLimit);
        ++judged;
      }
    }
  }
  CHECK(judged > 50);
}
