// Found by writing garbage all the time: synchronize() returned a status that the interface does not know (75).
// The verdict on a failed round lies in the segment, and was passed on as it stood there. Remedy: a verdict that
// no member writes is reported as segmentCorrupt.

#include "tests/support/catch.hpp"
#include "tests/support/meeting.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::testing;

TEST_CASE("a verdict on a round that no member writes is damage, not a status (P6)") {
  const Watchdog watchdog;
  Meeting meeting(2);
  const auto timeout = static_cast<std::uint64_t>(Status::timeout);
  // 75 is no status; 0 would be a pass, and 9 an eviction that nobody decided. The last is on a round still to
  // come.
  for (const std::uint64_t garbage : {std::uint64_t{75}, std::uint64_t{0}, std::uint64_t{9}, 1 << 8 | timeout}) {
    auto waiting = meeting.arriveAndSleep(1, 2);
    detail::BarrierState& state = meeting.state();
    state.verdict[1] = ((state.round.load() + 1) << 8) + garbage;
    CHECK(meeting.arrive(0, 2).ok());
    CHECK(waiting.get().status == Status::segmentCorrupt);
  }
}

TEST_CASE("who finds its verdict damaged blames nobody (P6)") {
  const Watchdog watchdog;
  Meeting meeting(2);
  auto waiting = meeting.arriveAndSleep(1, 2);
  detail::BarrierState& state = meeting.state();
  const std::uint64_t round = state.round.load() + 1;
  state.verdict[1] = round << 8 | 65;  // timeout with one bit flipped
  detail::BarrierFailureEntry& entry = state.failures[round % detail::kBarrierFailures];
  entry.round = round;
  entry.slots[0] = 1;
  CHECK(meeting.arrive(0, 2).ok());
  const Outcome outcome = waiting.get();
  CHECK(outcome.status == Status::segmentCorrupt);
  CHECK(outcome.failed.empty());
  CHECK(outcome.missing.empty());
}
