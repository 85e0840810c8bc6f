#include "ipc/membership/registry.hpp"

#include <ronde/error.hpp>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/stub_oracle.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

std::vector<std::string> namesIn(const ViewData& view) {
  std::vector<std::string> names;
  for (const ViewEntry& entry : view.members) names.emplace_back(entry.name.view());
  return names;
}
std::vector<std::string> currentNames(const BareMember& member) {
  return namesIn(*member.context.views.current());
}
std::uint64_t viewNumber(const BareMember& member) { return member.context.views.number(); }

using Names = std::vector<std::string>;

}  // namespace

// Specification, REGISTER: by order of arrival, ties by name.
TEST_CASE("registry: the founding cohort is numbered by arrival and then by name", "[membership]") {
  const Options options = scratchOptions(4);
  BareMember c(options, "c");
  BareMember a(options, "a");
  BareMember b(options, "b");
  BareMember last(options, "0");
  for (BareMember* member : {&c, &a, &b}) {
    CHECK(member->admit() == Admission::waiting);
    CHECK(member->word().phase == Phase::active);
    CHECK(viewNumber(*member) == 0);
    CHECK(member->table().joinedView == 0);
  }
  Names expected;
  SECTION("by arrival, whatever the slots and names") {
    c.table().arrival = 30;
    a.table().arrival = 20;
    b.table().arrival = 10;
    expected = {"b", "a", "c", "0"};
  }
  SECTION("at the same time by name") {
    for (BareMember* member : {&c, &a, &b}) member->table().arrival = 7;
    expected = {"a", "b", "c", "0"};
  }
  CHECK(last.admit() == Admission::admitted);
  CHECK(viewNumber(c) == 1);
  CHECK(currentNames(a) == expected);
  for (BareMember* member : {&c, &a, &b, &last}) CHECK(member->table().joinedView == 1);
}

TEST_CASE("registry: a later one is appended by a view change", "[membership]") {
  BareGroup group(3);
  const BareMember& late = group.add();
  CHECK(group[3].admit() == Admission::admitted);
  CHECK(viewNumber(late) == 2);
  CHECK(currentNames(late) == Names{"P0", "P1", "P2", "P3"});
  CHECK(late.table().joinedView == 2);
  CHECK(group[0].table().joinedView == 1);

  // Also if its slot is the first.
  group.bury(group[0], group[1]);
  const BareMember& heir = group.join();
  CHECK(heir.self == Member{0, 2});
  CHECK(currentNames(heir) == Names{"P1", "P2", "P3", "P4"});
}

TEST_CASE("registry: all who arrive at once are in one view", "[membership][threads]") {
  const Watchdog watchdog;
  constexpr int kMembers = 6;
  const Options options = scratchOptions(kMembers);
  std::vector<std::unique_ptr<BareMember>> members(kMembers);
  std::vector<Admission> admissions(kMembers);
  runTogether(kMembers, [&](int thread) {
    const auto i = static_cast<std::size_t>(thread);
    members[i] = std::make_unique<BareMember>(options, "P" + std::to_string(thread));
    admissions[i] = members[i]->admit();
  });
  CHECK(std::count(admissions.begin(), admissions.end(), Admission::admitted) == 1);
  CHECK(std::count(admissions.begin(), admissions.end(), Admission::waiting) == kMembers - 1);
  CHECK(viewNumber(*members[0]) == 1);
  const auto view = members[0]->context.views.current();
  REQUIRE(view->members.size() == kMembers);
  CHECK(std::is_sorted(view->members.begin(), view->members.end(),
                       [](const ViewEntry& a, const ViewEntry& b) { return a.arrival < b.arrival; }));
}

TEST_CASE("registry: a name is unique among the living", "[membership]") {
  BareGroup group(3);
  BareMember twin(group.options(), "P1");
  CHECK(twin.admit() == Admission::nameTaken);
  CHECK(twin.word().phase == Phase::joining);
  CHECK(viewNumber(twin) == 1);
  SECTION("it may go away again") {
    twin.registry.abandon(twin.self);
    CHECK(twin.word().phase == Phase::free);
    CHECK(group.add().self == Member{twin.self.slot, twin.self.incarnation + 1});
  }
  SECTION("or follow a dead one of that name; the same view change buries that") {
    group[1].die();
    CHECK(twin.admit() == Admission::admitted);
    CHECK(viewNumber(twin) == 2);
    CHECK(currentNames(twin) == Names{"P0", "P2", "P1"});
    const auto view = twin.context.views.current();
    REQUIRE(view->departures.size() == 1);
    CHECK(view->departures[0].slot == group[1].self.slot);
    CHECK(static_cast<Departure>(view->departures[0].reason) == Departure::died);
  }
}

// The cohort is one of the living; who died while it gathered is in no view.
TEST_CASE("registry: who dies before the founding does not count", "[membership]") {
  const Options options = scratchOptions(3);
  BareMember first(options, "first");
  BareMember dead(options, "dead");
  BareMember second(options, "second");
  BareMember third(options, "third");
  CHECK(first.admit() == Admission::waiting);
  CHECK(dead.admit() == Admission::waiting);
  dead.die();
  CHECK(first.registry.arrivedCount(first.liveness) == 1);
  CHECK(second.admit() == Admission::waiting);  // the third to arrive, but the second alive
  CHECK(first.registry.arrivedNames(first.liveness) == "first, second");
  CHECK(third.admit() == Admission::admitted);
  CHECK(currentNames(first) == Names{"first", "second", "third"});
  CHECK(first.context.views.current()->departures.empty());
  CHECK(dead.word().phase == Phase::departed);
  // And its slot comes free, though no view change tells of it.
  first.registry.reclaim(first.context, dead.self.slot, [] { return false; });
  CHECK(dead.word().phase == Phase::free);
}

TEST_CASE("registry: who gives up before the founding does not count", "[membership]") {
  const Options options = scratchOptions(2);
  BareMember quitter(options, "quitter");
  BareMember first(options, "first");
  BareMember second(options, "second");
  CHECK(quitter.admit() == Admission::waiting);
  const Leaving leaving{quitter.self, Departure::left};
  CHECK_FALSE(quitter.registry.remove(quitter.context, {&leaving, 1}, soon()));  // there is no view to change
  CHECK(quitter.word().phase == Phase::departed);
  CHECK(first.admit() == Admission::waiting);
  CHECK(second.admit() == Admission::admitted);
  CHECK(currentNames(first) == Names{"first", "second"});
}

// P2, P4: whoever installs a view folds in who was shut out before.
TEST_CASE("registry: a proposer that died between the slot word and the view is completed by the next",
          "[membership]") {
  BareGroup group(4);
  BareMember& victim = group[1];
  BareMember& proposer = group[2];
  proposer.dieHolding(group.segment().control().registryLock);
  victim.table().departedView.store(2);
  victim.setPhase(Phase::departed, Departure::silent);
  CHECK(viewNumber(group[0]) == 1);

  std::uint64_t number = 2;
  SECTION("by whoever removes the proposer") {
    CHECK(group[0].registry.remove(group[0].context, group[0].registry.findDead(group[0].liveness, true), soon()));
  }
  SECTION("by whoever removes nobody") {
    CHECK(group[0].registry.remove(group[0].context, {}, soon()));
    CHECK(currentNames(group[0]) == Names{"P0", "P2", "P3"});
    CHECK(group[3].registry.remove(group[3].context, group[3].registry.findDead(group[3].liveness, true), soon()));
    number = 3;
  }
  SECTION("by whoever joins") {
    CHECK(group.add().admit() == Admission::admitted);
    CHECK(currentNames(group[0]) == Names{"P0", "P3", "P4"});
    return;
  }
  CHECK(viewNumber(group[0]) == number);
  CHECK(currentNames(group[0]) == Names{"P0", "P3"});
  const auto departures = group[0].context.views.current()->departures;
  REQUIRE(departures.size() == 2);
  CHECK(departures[0].slot == victim.self.slot);
  CHECK(static_cast<Departure>(departures[0].reason) == Departure::silent);
  CHECK(departures[0].view == 2);
  CHECK(static_cast<Departure>(departures[1].reason) == Departure::died);
  CHECK(departures[1].view == number);
  CHECK(proposer.table().departedView == number);
}

TEST_CASE("registry: a joiner that died before its view leaves no trace in the next", "[membership]") {
  BareGroup group(3);
  BareMember& joiner = group.add();
  joiner.dieHolding(group.segment().control().registryLock);
  joiner.setPhase(Phase::active);
  joiner.table().joinedView.store(2);
  const auto dead = group[0].registry.findDead(group[0].liveness, true);
  REQUIRE(dead.size() == 1);
  CHECK_FALSE(group[0].registry.remove(group[0].context, dead, soon()));  // the view does not change by it
  CHECK(viewNumber(group[0]) == 1);
  CHECK(joiner.word().phase == Phase::departed);
  group[0].registry.reclaim(group[0].context, joiner.self.slot, [] { return false; });
  BareMember& next = group.add();
  CHECK(next.self == Member{joiner.self.slot, joiner.self.incarnation + 1});
  CHECK(next.table().joinedView == 0);
  CHECK(next.admit() == Admission::admitted);
  CHECK(currentNames(next) == Names{"P0", "P1", "P2", "P4"});
}

// P7: a group in which only the dead are registered is taken over, not joined.
TEST_CASE("registry: a group of dead members is not joined", "[membership]") {
  BareGroup group(3);
  BareMember& joiner = group.add();
  for (std::size_t i = 0; i < 3; ++i) group[i].die();
  CHECK(joiner.admit() == Admission::groupDead);
  CHECK(joiner.word().phase == Phase::joining);
  CHECK(viewNumber(joiner) == 1);
}

TEST_CASE("registry: a departure is final and its first reason stays", "[membership]") {
  BareGroup group(3);
  const auto remove = [&](Member member, Departure why) {
    const Leaving leaving{member, why};
    return group[0].registry.remove(group[0].context, {&leaving, 1}, soon());
  };
  CHECK_FALSE(remove({group[1].self.slot, group[1].self.incarnation + 1}, Departure::silent));
  CHECK(viewNumber(group[0]) == 1);
  CHECK(remove(group[1].self, Departure::left));
  CHECK_FALSE(remove(group[1].self, Departure::died));
  CHECK(viewNumber(group[0]) == 2);
  CHECK(group[1].word().departure == Departure::left);
  CHECK(group[1].context.standing() == Status::evicted);
  CHECK(group[2].context.standing() == Status::ok);
  CHECK(static_cast<Departure>(group[0].context.views.current()->departures.at(0).reason) == Departure::left);
}

// P1, P6.
TEST_CASE("registry: a lock not to be had and a garbage view are refusals", "[membership]") {
  BareGroup group(3);
  BareMember& joiner = group.add();
  const Leaving leaving{group[1].self, Departure::died};
  Word& lock = wordOf(group.segment().control().registryLock);
  SECTION("held by somebody alive") {
    lock.store(SlotLock::ownerWord(group[2].self));
    CHECK(joiner.registry.admit(joiner.context, joiner.name, atOnce()) == Admission::noLock);
    CHECK_FALSE(group[0].registry.remove(group[0].context, {&leaving, 1}, atOnce()));
    lock.store(0);
  }
  SECTION("garbage in the lock is taken over") {
    lock.store(0x7fffffff);
    CHECK(group[0].registry.remove(group[0].context, {&leaving, 1}, soon()));
    CHECK(currentNames(group[0]) == Names{"P0", "P2"});
  }
  SECTION("a garbage view") {
    group.segment().view(1).members = 1000;
    CHECK(joiner.admit() == Admission::corrupt);
    CHECK_FALSE(group[0].registry.remove(group[0].context, {&leaving, 1}, soon()));
  }
  CHECK(lock.load() == 0);
}

TEST_CASE("registry: only active members are found dead", "[membership]") {
  BareGroup group(4);
  BareMember& joining = group.add();
  joining.die();
  group[1].die();
  group[2].die();
  group[2].setPhase(Phase::departed, Departure::left);
  const auto dead = group[0].registry.findDead(group[0].liveness, true);
  REQUIRE(dead.size() == 1);
  CHECK(dead[0].member == group[1].self);
  CHECK(dead[0].reason == Departure::died);
}
