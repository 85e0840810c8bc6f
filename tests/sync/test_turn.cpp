#include "ipc/sync/turn.hpp"

#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde::detail;
using namespace ronde::testing;

namespace {

constexpr auto kAlways = [] { return true; };

}  // namespace

TEST_CASE("turn: one at a time and given back by anybody", "[sync]") {
  const Watchdog watchdog;
  Turn turn;
  CHECK(turn.tryTake());
  CHECK_FALSE(turn.tryTake());
  std::thread([&] { turn.giveBack(); }).join();
  {
    REQUIRE(turn.take(Deadline::passedAlready(), kAlways));  // free, so the deadline does not matter
    const TurnGuard guard(turn);
    CHECK_FALSE(turn.tryTake());
  }
  CHECK(turn.tryTake());
}

// P1.
TEST_CASE("turn: a wait ends at the deadline and when the caller may not wait any more", "[sync]") {
  const Watchdog watchdog;
  Turn turn;
  REQUIRE(turn.tryTake());
  const auto start = Clock::now();
  CHECK_FALSE(turn.take(Deadline::in(std::chrono::milliseconds(5)), kAlways));
  CHECK(Clock::now() - start >= std::chrono::milliseconds(5));
  int asked = 0;
  CHECK_FALSE(turn.take(Deadline::in(std::chrono::hours(1)), [&] { return ++asked < 3; }));
  CHECK(asked == 3);
}

TEST_CASE("turn: threads exclude each other", "[sync][threads]") {
  const Watchdog watchdog;
  Turn turn;
  long entries = 0;  // protected by the turn alone
  runTogether(4, [&](int) {
    for (int i = 0; i < 2000; ++i) {
      if (!turn.take(Deadline::in(std::chrono::hours(1)), kAlways)) continue;
      const TurnGuard guard(turn);
      if (++entries % 8 == 0) std::this_thread::yield();  // so that the others have to wait
    }
  });
  CHECK(entries == 4 * 2000);
}
