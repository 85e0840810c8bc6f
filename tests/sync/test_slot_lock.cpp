#include "ipc/sync/slot_lock.hpp"

#include <array>
#include <set>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/support/deadlines.hpp"
#include "tests/support/random.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/stub_oracle.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

constexpr std::uint32_t kSleepers = 1U << 31;
constexpr Member kUs{3, 7};
constexpr Member kOther{5, 2};

Deadline shortly() { return Deadline::in(std::chrono::milliseconds(2)); }

}  // namespace

// Design §5: the word names slot, incarnation and the presence of sleepers.
TEST_CASE("slot lock: the word names slot and incarnation and is never 0 while owned", "[sync]") {
  std::set<std::uint32_t> seen;
  for (const std::uint32_t slot : {0U, 1U, 255U, 511U}) {
    for (const std::uint32_t incarnation : {1U, 2U, 1000U, (1U << 21) - 1}) {
      const std::uint32_t word = SlotLock::ownerWord({slot, incarnation});
      CHECK(word != 0);
      CHECK((word & kSleepers) == 0);
      CHECK((word & 1023) == slot + 1);
      CHECK(word >> 10 == incarnation);
      CHECK(seen.insert(word).second);
    }
  }
  SlotLock lock{};
  StubOracle nobody(OwnerState::alive);
  REQUIRE(lock.lock(kUs, nobody, soon()) == LockResult::acquired);
  CHECK(lock.isHeldBy(kUs));
  CHECK_FALSE(lock.isHeldBy({kUs.slot, kUs.incarnation + 1}));
  CHECK_FALSE(lock.isHeldBy({kUs.slot + 1, kUs.incarnation}));
  wordOf(lock).fetch_or(kSleepers);
  CHECK(lock.isHeldBy(kUs));
  lock.unlock();
  CHECK_FALSE(lock.isHeldBy(kUs));
  CHECK(wordOf(lock).load() == 0);
}

// P2: who has left the group may have lost its lock to another.
TEST_CASE("slot lock: who may have lost it gives back only what is its own", "[sync]") {
  SlotLock lock{};
  StubOracle nobody(OwnerState::alive);
  REQUIRE(lock.lock(kUs, nobody, soon()) == LockResult::acquired);
  wordOf(lock).fetch_or(kSleepers);
  lock.unlockIfHeldBy(kUs);
  CHECK(wordOf(lock).load() == 0);
  lock.unlockIfHeldBy(kUs);
  CHECK(wordOf(lock).load() == 0);
  for (const Member other : {Member{kUs.slot + 1, kUs.incarnation}, Member{kUs.slot, kUs.incarnation + 1}}) {
    wordOf(lock).store(SlotLock::ownerWord(other));
    lock.unlockIfHeldBy(kUs);
    CHECK(lock.isHeldBy(other));
  }
}

// P2: a lock is taken over only from a dead owner, and the taker is told.
TEST_CASE("slot lock: only a dead owner loses its lock and the taker is told so", "[sync]") {
  SlotLock lock{};
  wordOf(lock).store(SlotLock::ownerWord(kOther));
  std::vector<Member> asked;
  OwnerState answer = OwnerState::alive;
  StubOracle oracle([&](Member owner) {
    asked.push_back(owner);
    return answer;
  });
  const auto attempt = [&](bool waiting) {
    return waiting ? lock.lock(kUs, oracle, shortly()) : lock.tryLock(kUs, oracle);
  };
  const bool waiting = GENERATE(false, true);

  CHECK(attempt(waiting) == LockResult::timeout);
  CHECK(lock.isHeldBy(kOther));
  answer = OwnerState::stopped;
  CHECK((attempt(waiting) == LockResult::ownerStopped || !waiting));
  CHECK(lock.isHeldBy(kOther));
  answer = OwnerState::dead;
  CHECK(attempt(waiting) == LockResult::ownerDied);
  CHECK(lock.isHeldBy(kUs));
  REQUIRE_FALSE(asked.empty());
  for (const Member& owner : asked) CHECK(owner == kOther);

  asked.clear();
  lock.unlock();
  CHECK(attempt(waiting) == LockResult::acquired);
  CHECK(asked.empty());  // a free lock is nobody's question
}

// P1: a wait for a lock ends at its deadline, and says when a stopped owner is the reason.
TEST_CASE("slot lock: a wait ends at the deadline and not before", "[sync]") {
  const Watchdog watchdog;
  SlotLock lock{};
  wordOf(lock).store(SlotLock::ownerWord(kOther));
  StubOracle living(OwnerState::alive);
  StubOracle stopped(OwnerState::stopped);
  const auto start = Clock::now();
  CHECK(lock.lock(kUs, living, Deadline::in(std::chrono::milliseconds(12))) == LockResult::timeout);
  CHECK(Clock::now() - start >= std::chrono::milliseconds(12));
  CHECK(lock.lock(kUs, stopped, shortly()) == LockResult::ownerStopped);
  CHECK(lock.lock(kUs, living, Deadline::passedAlready()) == LockResult::timeout);
  CHECK(lock.isHeldBy(kOther));
}

// Design §5: taken over by CAS on the exact value. The judgement "dead" is about one owner, not about the lock.
TEST_CASE("slot lock: a takeover fails when the lock changed hands after the owner was judged", "[sync]") {
  constexpr Member kThird{9, 1};
  SlotLock lock{};
  wordOf(lock).store(SlotLock::ownerWord(kOther));
  StubOracle oracle([&](Member owner) {
    if (owner == kThird) return OwnerState::alive;
    wordOf(lock).store(SlotLock::ownerWord(kThird));  // meanwhile somebody else took it over
    return OwnerState::dead;
  });
  SECTION("tryLock") { CHECK(lock.tryLock(kUs, oracle) == LockResult::timeout); }
  SECTION("lock") { CHECK(lock.lock(kUs, oracle, shortly()) == LockResult::timeout); }
  CHECK(lock.isHeldBy(kThird));
}

// P6: garbage in a lock word hangs nobody. A word without a slot is nobody's; a slot beyond the table is for the
// oracle to recognise.
TEST_CASE("slot lock: a garbage word is taken over", "[sync]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  StubOracle never([](Member) -> OwnerState { throw std::logic_error("asked for an owner that is no member"); });
  StubOracle knowsCapacity([](Member owner) { return owner.slot < 16 ? OwnerState::alive : OwnerState::dead; });
  for (int i = 0; i < 1000; ++i) {
    SlotLock lock{};
    const auto bits = static_cast<std::uint32_t>(random.word());
    wordOf(lock).store((bits & ~1023U) | 1024U);  // slot field 0
    REQUIRE(lock.lock(kUs, never, soon()) == LockResult::ownerDied);
    lock.unlock();
    wordOf(lock).store(bits | 512U);  // slot 511 or more
    REQUIRE(lock.lock(kUs, knowsCapacity, soon()) == LockResult::ownerDied);
    REQUIRE(lock.isHeldBy(kUs));
    lock.unlock();
    REQUIRE(wordOf(lock).load() == 0);
  }
}

// The word keeps 21 bits of the incarnation; the oracle is asked for exactly those.
TEST_CASE("slot lock: the oracle is asked for the low bits of the incarnation", "[sync]") {
  SlotLock lock{};
  wordOf(lock).store(SlotLock::ownerWord({12, (1U << 21) + 5}));
  Member asked;
  StubOracle oracle([&](Member owner) {
    asked = owner;
    return OwnerState::dead;
  });
  CHECK(lock.tryLock(kUs, oracle) == LockResult::ownerDied);
  CHECK(asked == Member{12, 5});
}

// SYNC: wake-word. A sleeper is woken by the unlock itself, not by its next slice: it sleeps here for an hour.
TEST_CASE("slot lock: an unlock wakes who sleeps on it", "[sync]") {
  const Watchdog watchdog;
  SlotLock lock{};
  StubOracle dead(OwnerState::dead);
  std::uint32_t asleepOn = 0;
  SECTION("after a sleeper announced itself") { asleepOn = SlotLock::ownerWord(kUs) | kSleepers; }
  SECTION("after a takeover from an owner on whom others slept") {
    wordOf(lock).store(SlotLock::ownerWord(kOther) | kSleepers);
    REQUIRE(lock.lock(kUs, dead, soon()) == LockResult::ownerDied);
    asleepOn = wordOf(lock).load();
    CHECK((asleepOn & kSleepers) != 0);
  }
  wordOf(lock).store(asleepOn);
  const BlockedCall sleeper([&] {
    while (wordOf(lock).load() == asleepOn) futexWait(wordOf(lock), asleepOn, std::chrono::hours(1));
  });
  lock.unlock();
}

TEST_CASE("slot lock: a waiting thread announces itself and gets the lock after the unlock", "[sync][threads]") {
  const Watchdog watchdog;
  SlotLock lock{};
  StubOracle living(OwnerState::alive);
  REQUIRE(lock.lock(kOther, living, soon()) == LockResult::acquired);
  LockResult result = LockResult::timeout;
  std::thread waiter([&] { result = lock.lock(kUs, living, soon()); });
  while ((wordOf(lock).load() & kSleepers) == 0) std::this_thread::yield();
  lock.unlock();
  waiter.join();
  CHECK(result == LockResult::acquired);
  CHECK(lock.isHeldBy(kUs));
}

// P1, P2: who waits already finds out about the death by itself, though a dead owner wakes nobody.
TEST_CASE("slot lock: a waiting thread takes over when the owner dies", "[sync][threads]") {
  const Watchdog watchdog;
  SlotLock lock{};
  wordOf(lock).store(SlotLock::ownerWord(kOther));
  std::atomic<bool> died{false};
  StubOracle oracle([&](Member) { return died.load() ? OwnerState::dead : OwnerState::alive; });
  LockResult result = LockResult::timeout;
  std::thread waiter([&] { result = lock.lock(kUs, oracle, soon()); });
  while ((wordOf(lock).load() & kSleepers) == 0) std::this_thread::yield();
  died.store(true);
  waiter.join();
  CHECK(result == LockResult::ownerDied);
}

// P2 and mutual exclusion, in a random run: members die while they hold the lock. The model is one plain variable
// that says who is inside: it is set exactly when the lock was left by a death.
TEST_CASE("slot lock: threads exclude each other and each death is reported to exactly one taker",
          "[sync][threads]") {
  const Watchdog watchdog;
  const Random seeds;
  CAPTURE(seeds.seed());
  constexpr int kThreads = 4;
  constexpr int kRounds = 3000;
  constexpr std::uint32_t kLives = kRounds + 2;
  SlotLock lock{};
  std::array<std::vector<std::atomic<bool>>, kThreads> dead;
  for (auto& one : dead) one = std::vector<std::atomic<bool>>(kLives);
  StubOracle oracle([&](Member owner) {
    return dead[owner.slot][owner.incarnation].load() ? OwnerState::dead : OwnerState::alive;
  });

  bool somebodyInside = false;  // protected by the lock alone
  long entries = 0;
  long reported = 0;
  long unexpected = 0;
  const auto enter = [&](Member self) {
    const LockResult result = lock.lock(self, oracle, soon());
    if (!holdsLock(result)) std::abort();
    reported += result == LockResult::ownerDied ? 1 : 0;
    unexpected += (result == LockResult::ownerDied) == somebodyInside ? 0 : 1;
    somebodyInside = true;
    ++entries;
  };
  std::atomic<long> deaths{0};
  runTogether(kThreads, [&](int thread) {
    Random random(seeds.seed() + static_cast<std::uint64_t>(thread));
    Member self{static_cast<std::uint32_t>(thread), 1};
    for (int i = 0; i < kRounds; ++i) {
      enter(self);
      if (random.oneIn(8)) std::this_thread::yield();  // so that the others have to wait
      if (random.oneIn(40)) {
        ++deaths;
        dead[self.slot][self.incarnation].store(true);
        ++self.incarnation;  // the slot's next owner
      } else {
        somebodyInside = false;
        lock.unlock();
      }
    }
  });
  enter({0, kLives - 1});  // settles a death in the last round
  CHECK(entries == kThreads * kRounds + 1);
  CHECK(unexpected == 0);
  CHECK(reported == deaths.load());
}
