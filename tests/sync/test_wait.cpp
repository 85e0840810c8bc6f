#include "ipc/sync/wait.hpp"

#include <array>

#include "tests/support/catch.hpp"
#include "tests/support/deadlines.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

/// A plan in which a lost wake is never made up for.
WaitPlan unslicedPlan(WaitMode mode) {
  WaitPlan plan;
  plan.mode = mode;
  plan.slice = std::chrono::hours(1);
  return plan;
}

}  // namespace

// Design §5: waking nobody must not write to the line that everybody polls.
TEST_CASE("wake word: waking nobody changes nothing", "[sync]") {
  WakeWord event{};
  event.word.store(40);
  event.wake();
  CHECK(event.word.load() == 40);
}

// SYNC: wake-word.
TEST_CASE("wake word: a wake between the announcement and the sleep ends the sleep", "[sync]") {
  const Watchdog watchdog;
  WakeWord event{};
  const std::uint32_t announced = event.announce();
  CHECK(event.word.load() == announced);
  CHECK((announced & 1) == 1);
  event.wake();
  CHECK((event.word.load() & 1) == 0);
  event.sleep(announced, std::chrono::hours(1));  // returns at once, or the watchdog barks
  // Who announces itself now must not be taken for the sleeper of before.
  CHECK(event.announce() != announced);
}

TEST_CASE("wake word: a wake reaches every sleeper", "[sync]") {
  const Watchdog watchdog;
  WakeWord event{};
  std::atomic<bool> news{false};
  const auto body = [&] {
    while (!news.load()) {
      const std::uint32_t announced = event.announce();
      if (news.load()) return;
      event.sleep(announced, std::chrono::hours(1));
    }
  };
  const BlockedCall first(body);
  const BlockedCall second(body);
  news.store(true);
  event.wake();
}

// P1.
TEST_CASE("waitUntil: every mode ends at the deadline and not before", "[sync]") {
  const Watchdog watchdog;
  const auto mode = GENERATE(WaitMode::adaptive, WaitMode::busy, WaitMode::block);
  const bool spinFirst = GENERATE(true, false);
  WakeWord event{};
  WaitPlan plan = unslicedPlan(mode);
  plan.spinFirst = spinFirst;
  const auto start = Clock::now();
  CHECK_FALSE(waitUntil(event, plan, Deadline::in(std::chrono::milliseconds(5)), [] { return false; }));
  CHECK(Clock::now() - start >= std::chrono::milliseconds(5));
  CHECK_FALSE(waitUntil(event, plan, Deadline::passedAlready(), [] { return false; }));
  // What is ready is taken even when the time is over.
  CHECK(waitUntil(event, plan, Deadline::passedAlready(), [] { return true; }));
}

TEST_CASE("waitUntil: block sleeps at once and busy never", "[sync]") {
  WakeWord event{};
  int looks = 0;
  const auto readyAtTheThird = [&] { return ++looks == 3; };
  SECTION("block announces itself before its second look") {
    std::array<std::uint32_t, 3> seen{};
    CHECK(waitUntil(event, unslicedPlan(WaitMode::block), soon(), [&] {
      seen.at(static_cast<std::size_t>(looks)) = event.word.load();
      if (looks == 1) event.wake();  // or it would sleep
      return readyAtTheThird();
    }));
    CHECK(seen[0] == 0);
    CHECK((seen[1] & 1) == 1);
  }
  SECTION("busy announces nothing however often it looks") {
    WaitPlan plan = unslicedPlan(WaitMode::busy);
    plan.spinFirst = GENERATE(true, false);
    CHECK(waitUntil(event, plan, soon(), [&] { return ++looks == 5000; }));
    CHECK(event.word.load() == 0);
  }
}

// Design §5: a wake that was lost with a dying waker costs one slice.
TEST_CASE("waitUntil: news without a wake are found after a slice", "[sync]") {
  const Watchdog watchdog;
  WakeWord event{};
  WaitPlan plan = unslicedPlan(WaitMode::block);
  plan.slice = std::chrono::milliseconds(2);
  const auto newsAt = Clock::now() + std::chrono::milliseconds(5);
  CHECK(waitUntil(event, plan, soon(), [&] { return Clock::now() >= newsAt; }));
}

// SYNC: wake-word. No wake is lost: with slices of an hour a single lost one stops the game.
TEST_CASE("waitUntil: no wake is lost between two threads that answer each other", "[sync][threads]") {
  const Watchdog watchdog;
  const auto mode = GENERATE(WaitMode::adaptive, WaitMode::busy, WaitMode::block);
  const int rounds = mode == WaitMode::block ? 20'000 : 2'000;
  std::array<WakeWord, 2> events{};
  std::atomic<int> ball{0};
  std::atomic<int> failures{0};
  runTogether(2, [&](int self) {
    WaitPlan plan = unslicedPlan(mode);
    plan.spinFirst = false;
    const auto other = static_cast<std::size_t>(1 - self);
    for (int turn = self; turn < 2 * rounds; turn += 2) {
      if (!waitUntil(events.at(static_cast<std::size_t>(self)), plan, soon(),
                     [&] { return ball.load(std::memory_order_acquire) == turn; })) {
        ++failures;
      }
      ball.exchange(turn + 1, std::memory_order_seq_cst);  // the read-modify-write that WakeWord asks for
      events.at(other).wake();
    }
  });
  CHECK(failures == 0);
  CHECK(ball == 2 * rounds);
}

TEST_CASE("waitUntil: no wake is lost when many sleep on one word", "[sync][threads]") {
  const Watchdog watchdog;
  constexpr int kRounds = 4000;
  constexpr int kSleepers = 3;
  WakeWord started{};
  WakeWord finished{};
  std::atomic<int> round{0};
  std::atomic<int> done{0};
  std::atomic<int> failures{0};
  const WaitPlan plan = unslicedPlan(WaitMode::block);
  runTogether(kSleepers + 1, [&](int self) {
    for (int i = 1; i <= kRounds; ++i) {
      if (self == 0) {
        round.fetch_add(1);
        started.wake();
        failures += waitUntil(finished, plan, soon(), [&] { return done.load() == i * kSleepers; }) ? 0 : 1;
      } else {
        failures += waitUntil(started, plan, soon(), [&] { return round.load() >= i; }) ? 0 : 1;
        done.fetch_add(1);
        finished.wake();
      }
    }
  });
  CHECK(failures == 0);
  CHECK(done == kSleepers * kRounds);
}
