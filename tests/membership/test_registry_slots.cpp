#include <thread>

#include "ipc/membership/registry.hpp"
#include "tests/support/bare_group.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/stub_oracle.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("registry: a joining slot belongs to its process as long as that lives", "[membership]") {
  BareGroup group(2);
  BareMember& joiner = group.add();
  CHECK(joiner.self == Member{2, 1});
  CHECK(group.add().self == Member{3, 1});
  joiner.die();
  BareMember& next = group.add();
  CHECK(next.self == Member{2, 2});
  CHECK(next.word().phase == Phase::joining);
  CHECK(next.table().life == 0);  // the former's death is not its own
}

TEST_CASE("registry: a full group is an error that tells the way out", "[membership]") {
  const Watchdog watchdog;
  Options options = scratchOptions(2);
  options.capacity = 3;
  BareGroup group(2, options);
  BareMember& third = group.join();
  const auto claim = [&](const Deadline& deadline) {
    const auto segment = Segment::joinOrCreate(options, soon());
    const Registry registry(*segment);
    const Member member = registry.claim(ShortName("fourth"), deadline).value();
    registry.abandon(member);
    return member;
  };
  const auto isFull = [&](const Deadline& deadline) {
    const auto error = errorOf([&] { return claim(deadline); });
    return error && error->errc() == Errc::groupFull && mentions(error->what(), {"RONDE_CAPACITY"});
  };
  CHECK(isFull(soon()));  // at once: nobody who could make room
  // A former member's slot may come free, so that is waited for.
  third.die();
  BareGroup::installWithout(third, Departure::died, group[0]);
  CHECK(isFull(Deadline::in(std::chrono::milliseconds(5))));
  WakeWord& service = group.segment().slot(0).service;
  service.announce();  // as a service thread does that sleeps until somebody asks for its help
  std::thread freer([&] {
    while ((service.word.load() & 1) != 0) std::this_thread::yield();
    cleanUp(group[0].context, group[0].registry);
  });
  const Member claimed = claim(soon());
  freer.join();
  CHECK(claimed == Member{third.self.slot, third.self.incarnation + 1});
}

// A slot is given out again only when nobody can still act on what its former owner left.
TEST_CASE("registry: a departed slot is freed only when cleaned and drained and deserted", "[membership]") {
  BareGroup group(3);
  BareMember& gone = group[1];
  const Member& self = gone.self;
  bool drained = true;
  bool asked = false;
  const auto reclaim = [&] {
    asked = false;
    group[0].registry.reclaim(group[0].context, self.slot, [&] {
      asked = true;
      return !drained;
    });
    return gone.word().phase == Phase::free;
  };
  CHECK_FALSE(reclaim());  // active
  gone.die();
  BareGroup::installWithout(gone, Departure::died, group[0]);
  SECTION("not before the clean-up") {
    CHECK_FALSE(reclaim());
    CHECK_FALSE(asked);  // what the clean-up will have to deliver is not owed yet
  }
  group.segment().control().cleanedView.store(2);
  SECTION("not while its outbox is owed") {
    drained = false;
    CHECK_FALSE(reclaim());
    drained = true;
  }
  SECTION("not while its process lives") {
    REQUIRE(gone.segment->claimSlot(self.slot));
    CHECK_FALSE(reclaim());
    CHECK_FALSE(asked);
    gone.segment->releaseSlot(self.slot);
  }
  SECTION("not while somebody holds the registry lock") {
    wordOf(group.segment().control().registryLock).store(SlotLock::ownerWord(group[2].self));
    CHECK_FALSE(reclaim());
    wordOf(group.segment().control().registryLock).store(0);
  }
  SECTION("not if its next owner has come and gone since it was looked at") {
    group[0].registry.reclaim(group[0].context, self.slot, [&] {
      gone.table().word.store(SlotWord{self.incarnation + 1, Phase::departed, Departure::died}.pack());
      return false;
    });
    CHECK(gone.word().phase == Phase::departed);
    gone.table().word.store(SlotWord{self.incarnation, Phase::departed, Departure::died}.pack());
  }
  CHECK(reclaim());
  CHECK(gone.word().incarnation == self.incarnation);
  CHECK(group.add().self == Member{self.slot, self.incarnation + 1});
}
