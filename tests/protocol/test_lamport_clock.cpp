#include "ipc/protocol/lamport_clock.hpp"

#include <array>
#include <set>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/random.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

// Specification: "clock=6 -> local=7".
TEST_CASE("lamport clock: a send counts one and a delivery goes past both clocks", "[protocol]") {
  LamportClock clock;
  CHECK(clock.now() == 0);
  CHECK(clock.tick() == 1);
  CHECK(clock.merge(6) == 7);
  CHECK(clock.merge(3) == 8);  // an old message
  CHECK(clock.merge(8) == 9);
  CHECK(clock.now() == 9);
}

// Lamport 1978, the clock condition: what happened before has the smaller stamp.
TEST_CASE("lamport clock: stamps respect causality in random exchanges", "[protocol]") {
  Random random;
  CAPTURE(random.seed());
  std::array<LamportClock, 5> clocks;
  std::array<LamportTime, 5> model{};
  std::vector<LamportTime> underWay;
  for (int i = 0; i < 10'000; ++i) {
    const std::size_t who = random.below(5);
    LamportTime now = 0;
    if (random.oneIn(2) || underWay.empty()) {
      now = clocks[who].tick();
      REQUIRE(now == model[who] + 1);
      underWay.push_back(now);
    } else {
      std::swap(underWay[random.below(underWay.size())], underWay.back());
      now = clocks[who].merge(underWay.back());
      REQUIRE(now == std::max(model[who], underWay.back()) + 1);
      underWay.pop_back();
    }
    REQUIRE(now > model[who]);
    model[who] = now;
  }
}

TEST_CASE("lamport clock: threads of a process never get the same time twice", "[protocol][threads]") {
  LamportClock clock;
  constexpr int kThreads = 4;
  std::array<std::vector<LamportTime>, kThreads> times;
  runTogether(kThreads, [&](int thread) {
    auto& own = times[static_cast<std::size_t>(thread)];
    for (LamportTime i = 0; i < 2000; ++i) own.push_back(i % 2 == 0 ? clock.tick() : clock.merge(i));
  });
  std::set<LamportTime> all;
  for (const auto& own : times) {
    CHECK(std::is_sorted(own.begin(), own.end()));
    for (const LamportTime time : own) {
      if (!all.insert(time).second) FAIL("a time was given out twice");
    }
  }
  CHECK(all.size() == kThreads * 2000);
}
