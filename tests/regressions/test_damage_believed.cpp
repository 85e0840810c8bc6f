// Found by reading every line that reads the segment with the question what garbage does there. Single damaged
// words made calls return ok that had not succeeded, emptied everybody's mailbox, took a living group's name away,
// left the token with one who no longer knew of it, or were undefined behaviour. Remedies: limits where a number
// is read, headers that are read once and checked, and a second witness before a name is removed.

#include <sched.h>

#include <algorithm>
#include <future>
#include <ronde/inspect.hpp>

#include "ipc/protocol/token_ring.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/mail.hpp"
#include "tests/support/meeting.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("a barrier round that leaves no room for the verdict is damage, not a pass (P6)") {
  const Watchdog watchdog;
  Meeting meeting(2);
  for (const std::uint64_t damaged : {std::uint64_t{1} << 56, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    meeting.state().round = damaged;
    CHECK(meeting.arrive(0, 2, Deadline::in(std::chrono::milliseconds(1))).status == Status::segmentCorrupt);
  }
}

TEST_CASE("who waits for a round is not let through by a number that no member writes (P6)") {
  const Watchdog watchdog;
  Meeting meeting(2);
  auto waiting = meeting.arriveAndSleep(1, 2);
  meeting.state().round = std::uint64_t{1} << 60;
  meeting.group[1].context.doorbell().wake();
  CHECK(waiting.get().status == Status::segmentCorrupt);
}

TEST_CASE("a view number that falls back is damage, not an empty group (P6)") {
  const Watchdog watchdog;
  Meeting meeting(3);
  meeting.group.bury(meeting.group[2], meeting.group[0]);
  REQUIRE(meeting.group[0].roster.current()->number == 2);
  for (const std::uint64_t old : {0U, 1U}) {
    meeting.group.segment().control().viewNumber = old;
    CHECK(meeting.group[0].roster.current() == nullptr);
    CHECK(meeting.arrive(0, 0, Deadline::in(std::chrono::milliseconds(1))).status == Status::segmentCorrupt);
  }
}

TEST_CASE("a member without an incarnation makes a view damaged (P6)") {
  const Watchdog watchdog;
  const BareGroup group(2);
  group.segment().view(1).member[1].incarnation = 0;
  CHECK_FALSE(group[0].context.views.current());
}

TEST_CASE("a damaged block of a dead sender costs nobody the mail that lies there (P6)") {
  const Watchdog watchdog;
  const Bytes mail = bytesOf("sent before");
  const auto damages = {+[](BlockHeader& header) { header.kind = 0; },
                        +[](BlockHeader& header) { header.kind = 77; },
                        +[](BlockHeader& header) { header.stamp = ~std::uint64_t{0}; },
                        +[](BlockHeader& header) { header.length = ~std::uint32_t{0}; }};
  for (const auto& damage : damages) {
    const BareGroup group(3);
    REQUIRE(push(group[1], group[0], 1, mail) == PushResult::pushed);
    const Member to = group[0].self;
    const Block block = commitBlock(group[2], 1, bytesOf("to all or none"), {&to, 1});
    damage(block.header());
    group.bury(group[2], group[1]);
    CHECK(take(group[0]).bytes == mail);
    CHECK(take(group[0]).status == TakeStatus::nothing);
    CHECK(group[2].word().phase == Phase::free);
  }
}

TEST_CASE("a clean-up number ahead of the views keeps no broadcast of the dead back (P5, P6)") {
  const Watchdog watchdog;
  const BareGroup group(3);
  const Member to = group[0].self;
  static_cast<void>(commitBlock(group[2], 1, bytesOf("to all or none"), {&to, 1}));
  group.segment().control().cleanedView = 1000;
  group.bury(group[2], group[1]);
  CHECK(take(group[0]).bytes == bytesOf("to all or none"));
}

TEST_CASE("a section that is left while the view is damaged leaves the token to the others (P6)") {
  const Watchdog watchdog;
  const BareGroup group(2, blockingOptions());
  TokenRing ours(group[0].context, group[0].roster);
  const auto grant = ours.request(soon());
  REQUIRE(grant.status == Status::ok);
  group.segment().control().viewNumber = 77;
  CHECK(ours.release(grant.fence).status == Status::segmentCorrupt);
  group.segment().control().viewNumber = 1;
  TokenRing other(group[1].context, group[1].roster);
  const auto next = other.tryRequest();
  CHECK(next.status == Status::ok);
  CHECK(next.fence == grant.fence + 1);
}

TEST_CASE("a view without members does not cost a living group its name (P6, P7)") {
  const ScratchGroup group;
  Members members = foundGroup(group, 2);
  const auto segment = Segment::joinOrCreate(group.options(0, 2), soon());
  ViewState& next = segment->view(2);
  ViewState& own = segment->view(1);
  own.members = 0;
  next.members = 0;
  static_cast<void>(members[0]->stop());
  CHECK(group.exists());
  own.members = 2;
  static_cast<void>(members[1]->stop());
}

TEST_CASE("a newcomer takes a group whose view has lost its members for damaged, not for dead (P6, P7)") {
  const Watchdog watchdog;
  BareGroup group(2);
  group.segment().view(1).members = 0;
  CHECK(group.add().admit() == Admission::corrupt);
}

// Where the kernel takes no robust futexes, the file lock is the only sign of a death, and it may come after the
// newcomer has looked.
TEST_CASE("a newcomer finds those dead who die while it waits for the registry (P7)") {
  const Watchdog watchdog;
  BareGroup group(2);
  BareMember& newcomer = group.add();
  SlotLock& registry = group.segment().control().registryLock;
  REQUIRE(holdsLock(registry.lock(group[0].self, group[0].liveness, soon())));
  group.segment().view(1).members = 0;
  auto admission = std::async(std::launch::async, [&] { return newcomer.admit(); });
  while ((reinterpret_cast<const Word&>(registry).load() >> 31) == 0) sched_yield();  // it sleeps there
  group[1].segment->releaseSlot(group[1].self.slot);
  group[0].segment->releaseSlot(group[0].self.slot);  // the lock is the newcomer's by that
  CHECK(admission.get() == Admission::groupDead);
}

TEST_CASE("a heartbeat that seems to be still to come has no age (P6)") {
  const ScratchGroup group;
  const Members members = foundGroup(group, 1);
  const auto segment = Segment::joinOrCreate(group.options(0, 1), soon());
  for (const std::uint64_t bit : {62U, 63U}) {
    segment->slot(0).beatAtNs.fetch_or(std::uint64_t{1} << bit);
    // The next beat may have mended it already.
    const auto age = GroupInspector::open(group.name())->slots().at(0).heartbeatAge;
    CHECK(age.count() >= 0);
    CHECK(age < std::chrono::minutes(1));
  }
}
