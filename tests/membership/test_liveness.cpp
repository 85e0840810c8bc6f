#include "ipc/membership/liveness.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

// Design §7: either sign of death is enough; the quick one costs no system call.
TEST_CASE("liveness: the life word and the file lock each tell of a death", "[membership]") {
  const BareGroup group(3);
  const Liveness& liveness = group[0].liveness;
  CHECK_FALSE(liveness.isDead(1, true));
  CHECK_FALSE(liveness.isDeserted(1));
  SECTION("the life word") {
    group[1].table().life.store(1234 | FUTEX_WAITERS);
    CHECK_FALSE(liveness.isDead(1, true));
    group[1].table().life.store(FUTEX_OWNER_DIED);
    CHECK(liveness.isDead(1, false));
    CHECK(liveness.isDead(1, true));
    CHECK_FALSE(liveness.isDeserted(1));  // its process may still be tearing down: the slot is not reused yet
  }
  SECTION("the file lock") {
    group[1].segment->releaseSlot(1);
    CHECK_FALSE(liveness.isDead(1, false));
    CHECK(liveness.isDead(1, true));
    CHECK(liveness.isDeserted(1));
  }
  CHECK_FALSE(liveness.isDead(2, true));
  // Nobody declares himself dead, whatever the segment says.
  group[0].die();
  CHECK_FALSE(liveness.isDead(0, true));
  CHECK_FALSE(liveness.isDeserted(0));
}

// P2: only a dead owner loses a lock. This is the table of all answers.
TEST_CASE("liveness: the state of a lock owner follows from its slot and its signs of life", "[membership]") {
  Options options = scratchOptions();
  options.onSilent = SilencePolicy::wait;  // so that nobody is killed here
  const BareGroup group(3, options);
  Liveness& oracle = group[0].liveness;
  BareMember& other = group[1];
  const Member owner = other.self;

  SECTION("no such slot: garbage") {
    CHECK(oracle.ownerState({16, 1}) == OwnerState::dead);
    CHECK(oracle.ownerState({1022, 1}) == OwnerState::dead);
  }
  SECTION("a former owner of the slot") {
    CHECK(oracle.ownerState({owner.slot, owner.incarnation + 1}) == OwnerState::dead);
    CHECK(oracle.ownerState({group[0].self.slot, group[0].self.incarnation + 1}) == OwnerState::dead);
  }
  SECTION("a freed slot") {
    other.setPhase(Phase::free);
    CHECK(oracle.ownerState(owner) == OwnerState::dead);
  }
  SECTION("ourselves") { CHECK(oracle.ownerState(group[0].self) == OwnerState::alive); }
  SECTION("a living member, also one that is joining or leaving") {
    for (const Phase phase : {Phase::joining, Phase::active, Phase::departed}) {
      other.setPhase(phase, Departure::left);
      CHECK(oracle.ownerState(owner) == OwnerState::alive);
    }
  }
  SECTION("a dead member in any phase") {
    other.die();
    for (const Phase phase : {Phase::joining, Phase::active, Phase::departed}) {
      other.setPhase(phase, Departure::silent);
      CHECK(oracle.ownerState(owner) == OwnerState::dead);
    }
  }
  SECTION("a dying member, of which a thread may still run") {
    other.table().life.store(FUTEX_OWNER_DIED);
    CHECK(oracle.ownerState(owner) == OwnerState::alive);
    group[0].noteSilent(owner);
    CHECK(oracle.ownerState(owner) == OwnerState::alive);  // not stopped: it will be gone in a moment
    other.segment->releaseSlot(owner.slot);
    CHECK(oracle.ownerState(owner) == OwnerState::dead);
  }
  SECTION("a silent member") {
    group[0].noteSilent(owner);
    CHECK(oracle.ownerState(owner) == OwnerState::stopped);
    oracle.noteBeating(owner);
    CHECK(oracle.ownerState(owner) == OwnerState::alive);
    group[0].noteSilent({owner.slot, owner.incarnation + 1});  // somebody else was silent there
    CHECK(oracle.ownerState(owner) == OwnerState::alive);
    group[0].noteSilent(owner);
    other.table().beats.fetch_add(1);  // it runs again
    CHECK(oracle.ownerState(owner) == OwnerState::alive);
  }
  SECTION("an evicted member") {
    other.setPhase(Phase::departed, Departure::silent);
    CHECK(oracle.ownerState(owner) == OwnerState::alive);  // it may be running again and about to unlock
    group[0].noteSilent(owner);
    CHECK(oracle.ownerState(owner) == OwnerState::stopped);
  }
  SECTION("the lock word has fewer bits of the incarnation than the slot word") {
    const std::uint32_t high = (1U << 21) + 5;
    other.table().word.store(SlotWord{high, Phase::active, {}}.pack());
    CHECK(oracle.ownerState({owner.slot, 5}) == OwnerState::alive);
    CHECK(oracle.ownerState({owner.slot, 6}) == OwnerState::dead);
  }
}

// Design §5: a silent owner is fenced before its lock is taken over, and only if the group's policy is to evict.
// Also one whose first thread has ended, so that its descriptors cannot be read.
TEST_CASE("liveness: a silent owner of a lock is killed if and only if the policy is to evict", "[membership]") {
  const Watchdog watchdog;
  Options options = scratchOptions(2);
  options.onSilent = GENERATE(SilencePolicy::evict, SilencePolicy::wait);
  const bool firstThreadEnds = GENERATE(false, true);
  const Gate go;
  const Gate joined;
  const Shared<Member> owner;
  Child child([&]() -> std::string {
    std::thread member([&] {
      go.pass();
      BareMember bare(options, "child");
      if (bare.admit() != Admission::waiting) return;
      *owner = bare.self;
      joined.open();
      stayUntilKilled();
    });
    if (firstThreadEnds) syscall(SYS_exit, 0);  // of this thread alone
    member.join();
    return "not admitted";
  });
  BareMember observer(options, "observer");
  go.open();
  child.awaitOpen(joined);
  CHECK(observer.liveness.ownerState(*owner) == OwnerState::alive);
  observer.noteSilent(*owner);
  if (options.onSilent == SilencePolicy::wait) {
    CHECK(observer.liveness.ownerState(*owner) == OwnerState::stopped);
    CHECK(observer.segment->isSlotClaimed(owner->slot));  // it lives
    return;
  }
  // The kill is certain, its end may take longer than one question waits.
  OwnerState state = OwnerState::stopped;
  while (state == OwnerState::stopped) {
    observer.noteSilent(*owner);  // evidence that is renewed
    state = observer.liveness.ownerState(*owner);
  }
  CHECK(state == OwnerState::dead);
  CHECK(child.report() == "<signal 9>");
}

// The life word tells of the service thread alone: who is silent under a lock may be stopped, not dying.
TEST_CASE("liveness: a silent owner is killed also where its life word says dead already", "[membership]") {
  const Watchdog watchdog;
  const Options options = scratchOptions(2);
  const Gate go;
  const Gate joined;
  const Shared<Member> owner;
  Child child([&]() -> std::string {
    go.pass();
    BareMember member(options, "child");
    if (member.admit() != Admission::waiting) return "not admitted";
    *owner = member.self;
    joined.open();
    stayUntilKilled();
  });
  BareMember observer(options, "observer");
  go.open();
  child.awaitOpen(joined);
  observer.segment->slot(owner->slot).life.store(FUTEX_OWNER_DIED);
  CHECK(observer.liveness.ownerState(*owner) == OwnerState::alive);  // for a moment, if it is dying
  while (observer.liveness.ownerState(*owner) != OwnerState::dead) observer.noteSilent(*owner);
  CHECK(child.report() == "<signal 9>");
}

// It was silent and goes on: until the next judgement it may hold a lock for a moment, and will release it.
TEST_CASE("liveness: nobody is killed whose heart has gone on", "[membership]") {
  const Watchdog watchdog;
  const Options options = scratchOptions(2);
  const Gate go;
  const Gate joined;
  const Shared<Member> owner;
  Child child([&]() -> std::string {
    go.pass();
    BareMember member(options, "child");
    if (member.admit() != Admission::waiting) return "not admitted";
    *owner = member.self;
    joined.open();
    stayUntilKilled();
  });
  BareMember observer(options, "observer");
  go.open();
  child.awaitOpen(joined);
  SlotTableState& table = observer.segment->slot(owner->slot);
  observer.noteSilent(*owner);
  table.beats.fetch_add(1);
  CHECK(observer.liveness.ownerState(*owner) == OwnerState::alive);
  CHECK_FALSE(observer.liveness.fence(owner->slot, SlotWord::unpack(table.word.load())));
  CHECK(observer.segment->isSlotClaimed(owner->slot));
}

// A member in our own process, or one whose pid is a stranger's by now, is not killed for being silent.
TEST_CASE("liveness: nobody is fenced who may not be", "[membership]") {
  const Watchdog watchdog;
  const BareGroup group(2);
  Liveness& oracle = group[0].liveness;
  const Member owner = group[1].self;
  group[0].noteSilent(owner);
  CHECK(oracle.ownerState(owner) == OwnerState::stopped);
  const Gate apart;
  Child stranger([&]() -> std::string {
    apart.open();  // it has closed what it inherited of the group, with our slot's file lock
    stayUntilKilled();
  });
  stranger.awaitOpen(apart);
  group[1].table().pid = static_cast<std::uint32_t>(stranger.pid());
  group[1].table().startTime = startTimeOf(stranger.pid());  // as it may be: it counts in steps of 10 ms
  group[0].noteSilent(owner);
  CHECK(oracle.ownerState(owner) == OwnerState::stopped);
  group[0].noteSilent(owner);
  CHECK_FALSE(oracle.fence(owner.slot, group[1].word()));
  CHECK(kill(stranger.pid(), 0) == 0);
  siginfo_t info{};
  CHECK(waitid(P_PID, static_cast<id_t>(stranger.pid()), &info, WEXITED | WNOHANG | WNOWAIT) == 0);
  CHECK(info.si_pid == 0);  // still running

  group[1].die();
  CHECK(oracle.fence(owner.slot, group[1].word()));  // nothing left to do
}
