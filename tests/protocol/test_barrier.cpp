#include "ipc/protocol/barrier.hpp"

#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/meeting.hpp"
#include "tests/support/stub_oracle.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

// Design §8: reusable rounds; nobody passes early, twice, or loses a round.
TEST_CASE("barrier: nobody passes before all have arrived in any round", "[protocol][threads]") {
  const Watchdog watchdog;
  constexpr int kMembers = 4;
  constexpr int kRounds = 300;
  const std::uint32_t n = GENERATE(0U, 4U);  // kAll and kMembers
  Meeting meeting(kMembers);
  std::atomic<int> arrivals{0};
  std::atomic<int> faults{0};
  runTogether(kMembers, [&](int who) {
    for (int round = 1; round <= kRounds; ++round) {
      ++arrivals;
      faults += meeting.arrive(static_cast<std::size_t>(who), n).ok() ? 0 : 1;
      faults += arrivals.load() >= round * kMembers ? 0 : 1;
    }
  });
  CHECK(faults == 0);
  CHECK(arrivals == kRounds * kMembers);
  CHECK(meeting.state().round == kRounds);
}

TEST_CASE("barrier: exactly N pass when more arrive", "[protocol][threads]") {
  const Watchdog watchdog;
  Meeting meeting(5);
  std::atomic<int> passed{0};
  std::atomic<int> stopped{0};
  std::vector<std::thread> threads;
  for (std::size_t who = 0; who < 5; ++who) {
    threads.emplace_back([&, who] {
      const Outcome outcome = meeting.arrive(who, 2);
      passed += outcome.ok() ? 1 : 0;
      stopped += outcome.status == Status::stopped ? 1 : 0;
    });
  }
  while (passed < 4) std::this_thread::yield();
  for (std::size_t who = 0; who < 5; ++who) meeting.group[who].context.beginStopping();
  for (std::thread& thread : threads) thread.join();
  CHECK(passed == 4);  // two rounds of two
  CHECK(stopped == 1);
  CHECK(meeting.state().round == 2);
}

// Design §8: another N is a mismatch for all at once.
TEST_CASE("barrier: another N fails the round for all and the next round is right", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(3);
  auto first = meeting.arriveAndSleep(0, 3);
  auto second = meeting.arriveAndSleep(1, 3);
  CHECK(meeting.arrive(2, 2).status == Status::mismatch);
  CHECK(first.get().status == Status::mismatch);
  CHECK(second.get().status == Status::mismatch);

  first = meeting.arriveAndSleep(0, kAll);
  second = meeting.arriveAndSleep(1, 3);  // says the same
  CHECK(meeting.arrive(2, kAll).ok());
  CHECK(first.get().ok());
  CHECK(second.get().ok());
}

// P1, P4: a deadline ends the round for all its participants, with the same members missing.
TEST_CASE("barrier: the first deadline ends the round for all and names who is missing", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(4);
  auto patient = meeting.arriveAndSleep(0, GENERATE(0U, 4U));
  const Outcome impatient = meeting.arrive(2, 4, Deadline::in(std::chrono::milliseconds(3)));
  for (const Outcome& outcome : {impatient, patient.get()}) {
    CHECK(outcome.status == Status::timeout);
    CHECK(outcome.view == 1);
    CHECK(outcome.failed.empty());
    CHECK(outcome.missing.size() == 2);
    CHECK(outcome.missing.contains(1));
    CHECK(outcome.missing.contains(3));
  }
  // Their arrivals do not count for the next round.
  auto next = meeting.arriveAndSleep(1, 2);
  CHECK(meeting.arrive(3, 2).ok());
  CHECK(next.get().ok());
}

// A call that ends with peerStopped could not take its arrival back. The next one of that member is no second
// arrival.
TEST_CASE("barrier: an arrival that stands counts once", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(2);
  meeting.state().needed = 2;
  meeting.state().startView = 1;
  meeting.state().arrived[meeting.group[0].self.slot] = 1;
  SECTION("alone it does not end the round") {
    CHECK(meeting.arrive(0, 2, Deadline::in(std::chrono::milliseconds(3))).status == Status::timeout);
  }
  SECTION("with the other one it does") {
    auto again = meeting.arriveAndSleep(0, 2);
    CHECK(meeting.arrive(1, 2).ok());
    CHECK(again.get().ok());
    CHECK(meeting.state().round == 1);
  }
}

TEST_CASE("barrier: stop and eviction end the wait", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(3);
  auto call = meeting.arriveAndSleep(0, kAll);
  SECTION("stop") {
    meeting.group[0].context.beginStopping();
    CHECK(call.get().status == Status::stopped);
    CHECK(meeting.arrive(0, kAll).status == Status::stopped);
  }
  SECTION("eviction") {
    meeting.group[0].setPhase(Phase::departed, Departure::silent);
    meeting.group[0].context.doorbell().wake();
    CHECK(call.get().status == Status::evicted);
    CHECK(meeting.arrive(0, kAll).status == Status::evicted);
  }
}

// P1: the lock of a stopped member that may not be fenced is a reason with a name.
TEST_CASE("barrier: a lock that is not to be had ends the call at its deadline", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(3);
  wordOf(meeting.state().lock).store(SlotLock::ownerWord(meeting.group[2].self));
  CHECK(meeting.arrive(0, 2, atOnce()).status == Status::timeout);
  meeting.group[0].noteSilent(meeting.group[2].self);  // ourselves: cannot be killed
  CHECK(meeting.arrive(0, 2, atOnce()).status == Status::peerStopped);
}

// P4: a departure that makes N unreachable is the same failure for all.
TEST_CASE("barrier: a death fails the round of all who wait for the dead", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(3);
  const std::uint32_t n = GENERATE(0U, 3U);
  auto first = meeting.arriveAndSleep(0, n);
  auto second = meeting.arriveAndSleep(2, n);
  meeting.group.bury(meeting.group[1], meeting.group[0]);
  for (Outcome outcome : {first.get(), second.get()}) {
    CHECK(outcome.status == Status::peerFailed);
    CHECK(outcome.view == 1);  // ids as at the call
    CHECK(outcome.failed.size() == 1);
    CHECK(outcome.failed.contains(1));
    CHECK(outcome.missing.empty());
  }
  first = meeting.arriveAndSleep(0, kAll);
  CHECK(meeting.arrive(2, kAll).ok());
  CHECK(first.get().ok());
}

TEST_CASE("barrier: a death that leaves N members does not fail the round", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(3);
  auto first = meeting.arriveAndSleep(0, 2);
  meeting.group.bury(meeting.group[1], meeting.group[2]);
  REQUIRE_FALSE(first.isOver());
  CHECK(meeting.arrive(2, 2).ok());
  CHECK(first.get().ok());
}

// Counted anew under the lock, so no death can spoil a count.
TEST_CASE("barrier: the arrival of one who departs is taken back", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(4);
  auto gone = meeting.arriveAndSleep(1, 2);
  meeting.evict(1, 0);
  CHECK(gone.get().status == Status::evicted);
  SECTION("so the others still need two") {}
  SECTION("also when its slot has a new member") {
    meeting.group[1].die();
    meeting.group.cleanUp();
    meeting.join();
    REQUIRE(meeting.group[4].self.slot == 1);
  }
  auto first = meeting.arriveAndSleep(2, 2);
  REQUIRE_FALSE(first.isOver());
  CHECK(meeting.arrive(3, 2).ok());
  CHECK(first.get().ok());
}

// communicator.hpp: the round is of all members of the view in which the first of them arrived.
TEST_CASE("barrier: a newcomer waits for the end of a round that began before it joined", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(2);
  auto first = meeting.arriveAndSleep(0, kAll);
  meeting.join();
  auto newcomer = meeting.arriveAndSleep(2, kAll);
  CHECK(meeting.arrive(1, kAll).ok());
  CHECK(first.get().ok());
  // The next round is its own as well.
  first = meeting.start(0, kAll);
  CHECK(meeting.arrive(1, kAll).ok());
  CHECK(first.get().ok());
  CHECK(newcomer.get().ok());
  CHECK(meeting.state().round == 2);
}

TEST_CASE("barrier: a newcomer that names N does not stand in for a member of the round", "[protocol]") {
  const Watchdog watchdog;
  Meeting meeting(3);
  auto first = meeting.arriveAndSleep(0, kAll);
  meeting.join();
  auto newcomer = meeting.arriveAndSleep(3, 3);
  auto second = meeting.arriveAndSleep(1, kAll);  // hangs here if the round is over by now
  REQUIRE_FALSE(first.isOver());
  CHECK(meeting.arrive(2, kAll).ok());
  CHECK(first.get().ok());
  CHECK(second.get().ok());
}
