#include <array>
#include <map>
#include <thread>

#include "ipc/protocol/barrier.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/meeting.hpp"
#include "tests/support/random.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

// P2, P4: a holder that died while it failed a round has decided nothing: the half-written verdicts must not tell
// one participant another story than the rest.
TEST_CASE("barrier: verdicts of a holder that died while writing them do not count", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(4);
  auto waiting = meeting.arriveAndSleep(1, 2);
  BarrierState& state = meeting.state();
  const std::uint64_t round = state.round.load() + 1;
  meeting.group[2].dieHolding(state.lock);
  state.verdict[1] = (round << 8) | static_cast<std::uint64_t>(Status::mismatch);
  state.failures[round % kBarrierFailures] = {round, 1, 1, {}};

  CHECK(meeting.arrive(0, 2).ok());
  CHECK(waiting.get().ok());
}

// A verdict counts once the round has ended, even if the holder died before it unlocked.
TEST_CASE("barrier: verdicts of a holder that died after ending the round do count", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(4);
  auto waiting = meeting.arriveAndSleep(1, 2);
  BarrierState& state = meeting.state();
  const std::uint64_t round = state.round.load() + 1;
  meeting.group[2].dieHolding(state.lock);
  state.verdict[1] = (round << 8) | static_cast<std::uint64_t>(Status::mismatch);
  state.failures[round % kBarrierFailures] = {round, 1, 1, {}};
  state.round.store(round);

  // The next to take the lock over must leave the ended round alone.
  auto next = meeting.arriveAndSleep(0, 2);
  REQUIRE_FALSE(next.isOver());
  CHECK(waiting.get().status == Status::mismatch);
  CHECK(meeting.arrive(3, 2).ok());
  CHECK(next.get().ok());
}

TEST_CASE("barrier: a round whose last arrival died before ending it is ended by the next visitor", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(4);
  auto waiting = meeting.arriveAndSleep(1, 2);
  BarrierState& state = meeting.state();
  meeting.group[2].dieHolding(state.lock);
  state.arrived[2] = state.round.load() + 1;
  auto next = meeting.arriveAndSleep(0, 2);  // of the round after it
  CHECK(waiting.get().ok());
  CHECK(state.round == 1);
  REQUIRE_FALSE(next.isOver());
  CHECK(meeting.arrive(3, 2).ok());
  CHECK(next.get().ok());
}

// P4 in random runs, whoever dies while rounds go on: all participants of a round tell the same story, and a round
// is passed by every survivor or by none. (Who had not arrived when a round failed was no participant.)
TEST_CASE("barrier: survivors of random deaths agree on every round", "[protocol][threads]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  constexpr std::size_t kMembers = 6;
  constexpr std::size_t kVictims = 3;  // P1 to P3; P0 shuts them out
  int failures = 0;
  for (int run = 0; run < 6; ++run) {
    Meeting meeting(kMembers);
    std::array<std::atomic<bool>, kMembers> doomed{};
    std::array<std::atomic<bool>, kMembers> gone{};
    std::array<std::map<std::uint64_t, Status>, kMembers> stories;  // by number of the round
    std::vector<std::thread> threads;
    for (std::size_t who = 0; who < kMembers; ++who) {
      threads.emplace_back([&, who] {
        Status status = Status::ok;
        while (!doomed[who]) {
          status = meeting.arrive(who, kAll).status;
          if (status != Status::ok && status != Status::peerFailed) break;
          // The word of a victim is taken back by others, under a lock that we do not hold.
          if (who == 0 || who > kVictims) stories[who][meeting.state().arrived[who]] = status;
        }
        gone[who] = true;
      });
    }
    for (std::size_t victim = 1; victim <= kVictims; ++victim) {
      for (std::uint64_t i = random.below(300); i > 0; --i) std::this_thread::yield();
      doomed[victim] = true;
      // It is gone between two calls, or is shut out in the middle of one.
      for (const bool between = random.oneIn(2); between && !gone[victim];) std::this_thread::yield();
      meeting.evict(victim, 0);
      meeting.group[victim].context.doorbell().wake();
      while (!gone[victim]) std::this_thread::yield();
    }
    for (std::size_t who = 0; who < kMembers; ++who) meeting.group[who].context.beginStopping();
    for (std::thread& thread : threads) thread.join();

    for (const std::size_t who : {0U, 4U, 5U}) {
      for (const auto& [round, status] : stories[who]) {
        failures += status == Status::peerFailed ? 1 : 0;
        for (const std::size_t other : {0U, 4U, 5U}) {
          CAPTURE(run, who, other, round);
          const auto same = stories[other].find(round);
          const bool tellsIt = same != stories[other].end();
          // Who is stopped in the last round may not have seen its end.
          const bool mayMissIt =
              status != Status::ok || stories[other].empty() || round > stories[other].rbegin()->first;
          if (tellsIt ? same->second != status : !mayMissIt) FAIL("two stories of one round");
        }
      }
    }
  }
  CHECK(failures > 0);
}
