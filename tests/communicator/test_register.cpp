#include <sys/types.h>

#include <algorithm>

#include <array>
#include <cstring>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/gate.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/sleeper.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

TEST_CASE("processes are numbered in the order of arrival, not of their names (REGISTER)", "[process]") {
  const ScratchGroup group;
  const std::vector<std::string> names = {"zoe", "mia", "abe"};
  std::vector<Child> children;
  for (int i = 0; i < 3; ++i) {
    children.emplace_back([&, i] {
      Communicator com(group.options(names[static_cast<std::size_t>(i)], 3));
      const std::string seen = std::to_string(com.id()) + " in " + toText(com.view());
      static_cast<void>(com.synchronize());  // nobody leaves before all have looked
      return seen;
    });
    if (i < 2) group.awaitArrivals(i + 1);
  }
  CHECK(children[0].report() == "0 in 1: zoe mia abe");
  CHECK(children[1].report() == "1 in 1: zoe mia abe");
  CHECK(children[2].report() == "2 in 1: zoe mia abe");
}

TEST_CASE("a cohort that arrives all at once gets every id once (REGISTER)", "[process]") {
  const ScratchGroup group;
  constexpr int kCount = 12;
  auto children = forkChildren(kCount, [&](int i) {
    Communicator com(group.options(i, kCount));
    const std::string id = std::to_string(com.id());
    return com.synchronize() ? id : "the barrier failed";
  });
  auto reports = reportsOf(children);
  std::sort(reports.begin(), reports.end());
  CHECK(reports == std::vector<std::string>{"0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"});
}

TEST_CASE("a process that comes later is appended by a view change (P4)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  Communicator late(group.options("late", 2));
  CHECK(late.id() == 2);
  CHECK(toText(late.view()) == "2: P0 P1 late");
  for (const auto& member : members) {
    const auto view = member->waitView(1);
    REQUIRE(view);
    CHECK(toText(*view) == "2: P0 P1 late");
    CHECK(member->size() == 3);
  }
}

TEST_CASE("a name belongs to one living member at a time", "[threads]") {
  const ScratchGroup group;
  Communicator first(group.options("twin"));
  const auto error = errorOf([&] { return Communicator(group.options("twin")).id(); });
  REQUIRE(error);
  CHECK(error->errc() == Errc::duplicateName);
  CAPTURE(error->what());
  CHECK(mentions(error->what(), {group.name(), "twin", "RONDE_NAME"}));
  CHECK(first.viewNumber() == 1);  // the refused one was never a member

  REQUIRE(first.stop());
  Communicator second(group.options("twin"));
  CHECK(second.name() == "twin");
}

TEST_CASE("a name is free again right after kill -9 (P7)", "[process]") {
  const ScratchGroup group;
  Communicator witness(group.options("witness"));
  std::uint64_t view = 1;
  for (int round = 0; round < 10; ++round) {
    Gate joined;
    Child child([&] {
      Communicator com(group.options("phoenix"));
      joined.open();
      return stayUntilKilled();
    });
    child.awaitOpen(joined);
    child.kill();
    Communicator successor(group.options("phoenix"));
    CHECK(successor.id() == 1);
    CHECK(successor.view().number > view);
    view = successor.view().number;
  }
}

TEST_CASE("the cohort's deadline passes: the error says who arrived (P1)", "[threads]") {
  const ScratchGroup group;
  Options patient = group.options("P2", 3);
  patient.registrationTimeout = 2s;
  BlockedCall first([patient] { return errorOf([&] { return Communicator(patient).id(); }); });
  group.awaitArrivals(1);

  Options hasty = group.options("P0", 3);
  hasty.registrationTimeout = 50ms;
  const auto early = errorOf([&] { return Communicator(hasty).id(); });
  REQUIRE(early);
  CHECK(early->errc() == Errc::registrationTimeout);
  CAPTURE(early->what());
  CHECK(mentions(early->what(), {group.name(), "2 of 3 arrived: P2, P0", "RONDE_EXPECTED"}));

  const auto late = first.result();
  REQUIRE(late);
  CHECK(late->errc() == Errc::registrationTimeout);
  CAPTURE(late->what());
  CHECK(mentions(late->what(), {"1 of 3 arrived: P2;"}));  // P0 has left
}

TEST_CASE("whoever dies while the cohort gathers is not counted (P2)", "[process]") {
  const ScratchGroup group;
  Child lost([&] { return std::to_string(Communicator(group.options("lost", 3)).id()); });
  group.awaitArrivals(1);
  auto waiting = [&](int i) {
    Communicator com(group.options(i, 3));
    const std::string seen = toText(com.view());
    return com.synchronize(3) ? seen : "the barrier failed";
  };
  Child second([&] { return waiting(0); });
  group.awaitArrivals(2);
  lost.kill();
  Child third([&] { return waiting(1); });
  Child fourth([&] { return waiting(2); });
  const std::string seen = second.report();
  CHECK((seen == "1: P0 P1 P2" || seen == "1: P0 P2 P1"));
  CHECK(third.report() == seen);
  CHECK(fourth.report() == seen);
}

TEST_CASE("a process that counts on another cohort is refused while the group is founded", "[threads]") {
  const ScratchGroup group;
  Options patient = group.options("P0", 3);
  patient.registrationTimeout = 1s;
  BlockedCall first([patient] { return errorOf([&] { return Communicator(patient).id(); }); });
  group.awaitArrivals(1);
  const auto error = errorOf([&] { return Communicator(group.options("P1", 2)).id(); });
  REQUIRE(error);
  CHECK(error->errc() == Errc::groupMismatch);
  CAPTURE(error->what());
  CHECK(mentions(error->what(), {group.name(), "3", "2", "RONDE_EXPECTED"}));
  REQUIRE(first.result());
}

TEST_CASE("a full group refuses, and takes the next one once somebody has left", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.capacity = 2;
  Communicator first(options);
  auto second = std::make_unique<Communicator>(group.options("P1"));
  const auto error = errorOf([&] { return Communicator(group.options("P2")).id(); });
  REQUIRE(error);
  CHECK(error->errc() == Errc::groupFull);
  CAPTURE(error->what());
  CHECK(mentions(error->what(), {"2", "RONDE_CAPACITY"}));

  const Member former = second->member();
  second.reset();
  Communicator third(group.options("P2"));
  CHECK(third.id() == 1);
  CHECK(third.member().slot == former.slot);  // there is no other
  CHECK(third.member() != former);
}

TEST_CASE("settings of the group are the creator's; the others adopt them", "[threads]") {
  const ScratchGroup group;
  Options small = group.options("P0");
  small.maxMessage = 100;
  Communicator creator(small);
  Communicator joiner(group.options("P1"));
  const auto error = errorOf([&] { return joiner.sendTo(std::string(101, 'x'), 0); });
  REQUIRE(error);
  CHECK(error->errc() == Errc::messageTooLarge);
}

TEST_CASE("two groups of one process do not see each other", "[threads]") {
  const ScratchGroup here;
  const ScratchGroup there;
  Communicator a(here.options("same"));
  Communicator b(there.options("same"));
  REQUIRE(a.publish("here"));
  CHECK(b.tryReceive().status() == Status::empty);
  CHECK(a.receive()->text() == "here");
  CHECK(b.clock() == 0);
}

TEST_CASE("rejoin() comes back last, as somebody new, with a new clock and an empty mailbox", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  Communicator& coming = *members[0];
  const Member before = coming.member();
  REQUIRE(members[1]->sendTo("for the former", 0));
  REQUIRE(coming.stop());
  coming.rejoin();
  CHECK(coming.id() == 1);
  CHECK(coming.member() != before);
  CHECK(coming.clock() == 0);
  CHECK(coming.tryReceive().status() == Status::empty);
  CHECK(toText(members[1]->view()) == "3: P1 P0 | P0 left");
  REQUIRE(members[1]->sendTo("for the new one", 1));
  CHECK(coming.receive()->text() == "for the new one");
}

TEST_CASE("a section kept from before rejoin() gives back nothing of the new membership (P3)", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  auto former = com.requestSC();
  REQUIRE(former);
  REQUIRE(com.stop());
  com.rejoin();  // alone, so it founds the group anew, and the fences begin anew, too
  Communicator witness(group.options("P1"));
  auto section = com.requestSC();
  REQUIRE(section);
  REQUIRE(section->fence() == former->fence());
  former->release();
  CHECK(witness.trySC().status() == Status::empty);
  section->release();
  CHECK(witness.trySC());
}

TEST_CASE("a name from a damaged segment ends where its bytes end (P6)") {
  std::array<char, sizeof(ShortName) + 1> bytes{};
  bytes.fill('x');  // also behind it, where a reader that goes on finds more
  ShortName name;
  std::memcpy(static_cast<void*>(&name), bytes.data(), sizeof(name));
  CHECK(name.view() == std::string(kMaxNameLength, 'x'));
  CHECK(ShortName(std::string(100, 'y')).view() == std::string(kMaxNameLength, 'y'));
}
