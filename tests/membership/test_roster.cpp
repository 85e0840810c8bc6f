#include "ipc/membership/roster.hpp"

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

// A message addressed under an old view reaches the member that was meant: ids mean the view that was adopted.
TEST_CASE("roster: ids keep the meaning of the adopted view until another is adopted", "[membership]") {
  BareGroup group(4);
  Roster& roster = group[3].roster;
  CHECK(roster.memberOf(0).incarnation == 0);  // nothing is adopted yet
  CHECK(roster.adoptedSize() == 0);
  roster.adopt(*roster.current());
  CHECK(roster.adoptedSize() == 4);
  CHECK(roster.adoptedNumber() == 1);
  for (int id = 0; id < 4; ++id) {
    CHECK(roster.memberOf(id) == group[static_cast<std::size_t>(id)].self);
    CHECK(roster.idOf(group[static_cast<std::size_t>(id)].self) == id);
  }

  group.bury(group[1], group[0]);
  REQUIRE(roster.current()->number == 2);
  CHECK(roster.adoptedNumber() == 1);
  CHECK(roster.memberOf(2) == group[2].self);
  CHECK(roster.idOf(group[1].self) == 1);

  roster.adopt(*roster.current());
  CHECK(roster.adoptedSize() == 3);
  CHECK(roster.memberOf(1) == group[2].self);
  CHECK(roster.memberOf(3).incarnation == 0);
  CHECK(roster.idOf(group[1].self) == kUnknownId);

  // The next owner of the slot is somebody else.
  BareMember& heir = group.join();
  REQUIRE(heir.self.slot == 1);
  CHECK(roster.idOf(heir.self) == kUnknownId);
  roster.adopt(*roster.current());
  CHECK(roster.idOf(heir.self) == 3);
  CHECK(roster.idOf(group[1].self) == kUnknownId);
}

TEST_CASE("roster: an id or a handle out of range means nobody", "[membership]") {
  const BareGroup group(2);
  Roster& roster = group[0].roster;
  roster.adopt(*roster.current());
  for (const MemberId id : {-1, 2, kMaxMembers - 1, kMaxMembers, 1'000'000}) {
    CHECK(roster.memberOf(id).incarnation == 0);
  }
  CHECK(roster.idOf({static_cast<std::uint32_t>(kMaxMembers), 1}) == kUnknownId);
  CHECK(roster.idOf({~0U, ~0U}) == kUnknownId);
  CHECK(roster.idOf({5, 0}) == kUnknownId);
  CHECK(roster.idOf({0, group[0].self.incarnation + 1}) == kUnknownId);
}

ShortName nameIn(Roster& roster, Member member) {
  ShortName name;
  roster.copyName(member, name);
  return name;
}

TEST_CASE("roster: names of former members are remembered", "[membership]") {
  BareGroup group(3);
  Roster& roster = group[0].roster;
  static_cast<void>(roster.current());
  group.bury(group[1], group[0]);
  BareMember& heir = group.join();
  static_cast<void>(roster.current());
  CHECK(nameIn(roster, group[1].self).view() == "P1");
  CHECK(nameIn(roster, heir.self).view() == "P3");
  CHECK(nameIn(roster, {9, 9}).view().empty());
}

TEST_CASE("roster: the view is read anew only when its number has changed", "[membership]") {
  BareGroup group(3);
  Roster& roster = group[0].roster;
  const auto first = roster.current();
  CHECK(roster.current() == first);
  group.bury(group[2], group[1]);
  const auto second = roster.current();
  CHECK(second != first);
  CHECK(second->number == 2);
  CHECK(first->members.size() == 3);  // whoever still has the old one may keep it
}

// P6.
TEST_CASE("roster: a garbage view is reported and the adopted one stays", "[membership]") {
  BareGroup group(3);
  Roster& roster = group[0].roster;
  roster.adopt(*roster.current());
  BareGroup::installWithout(group[2], Departure::left, group[1]);
  group.segment().view(2).members = 5000;
  CHECK(roster.current() == nullptr);
  CHECK(roster.memberOf(1) == group[1].self);
}
