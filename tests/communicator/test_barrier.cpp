#include <atomic>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/random.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/shared.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

/// Passes `rounds` barriers and checks at each that everybody is in it and nobody beyond the next one.
std::string passRounds(Communicator& com, int count, int rounds, std::atomic<int>& arrivals) {
  for (int round = 1; round <= rounds; ++round) {
    arrivals.fetch_add(1);
    const Outcome outcome = round % 2 == 0 ? com.synchronize() : com.synchronize(count);
    const int seen = arrivals.load();
    if (!outcome) return "round " + std::to_string(round) + ": " + everything(outcome);
    if (seen < round * count) return "round " + std::to_string(round) + " was passed too early";
    if (seen > (round + 1) * count - 1) return "round " + std::to_string(round + 1) + " was passed without us";
  }
  return "passed";
}

}  // namespace

TEST_CASE("nobody passes before all have arrived, round after round (specification, synchronize)", "[process]") {
  const ScratchGroup group;
  constexpr int kCount = 4;
  const Shared<std::atomic<int>> arrivals;
  auto children = forkChildren(kCount, [&](int i) {
    Communicator com(group.options(i, kCount));
    return passRounds(com, kCount, 2000, *arrivals);
  });
  CHECK(reportsOf(children) == std::vector<std::string>(kCount, "passed"));
}

TEST_CASE("rounds of members in one process are separate as well (specification, synchronize)", "[threads]") {
  const ScratchGroup group;
  constexpr int kCount = 3;
  const auto members = foundGroup(group, kCount);
  std::atomic<int> arrivals{0};
  const auto results = inThreads(
      kCount, [&](int i) { return passRounds(*members[static_cast<std::size_t>(i)], kCount, 300, arrivals); });
  CHECK(results == std::vector<std::string>(kCount, "passed"));
}

TEST_CASE("N may be smaller than the group: the others are not needed", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 4);
  CHECK(members[3]->synchronize(1));
  BlockedCall one([&] { return members[2]->synchronize(2); });
  REQUIRE(members[0]->synchronize(2));
  REQUIRE(one.result());
}

TEST_CASE("more callers than N pass in rounds of N", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 6);
  const auto results = inThreads(6, [&](int i) {
    return std::string(toString(members[static_cast<std::size_t>(i)]->synchronize(2).status));
  });
  CHECK(results == std::vector<std::string>(6, "ok"));  // three rounds
  // Of three callers one is left over.
  BlockedCall one([&] { return members[0]->synchronize(2); });
  REQUIRE(members[1]->synchronize(2));
  REQUIRE(one.result());
  CHECK(members[2]->synchronize(2, 5ms).status == Status::timeout);
}

TEST_CASE("another N ends the round for all its participants with mismatch (P4)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 4);
  BlockedCall first([&] { return members[0]->synchronize(4); });
  BlockedCall second([&] { return members[1]->synchronize(); });  // the same four
  CHECK(members[2]->synchronize(3).status == Status::mismatch);
  CHECK(first.result().status == Status::mismatch);
  CHECK(second.result().status == Status::mismatch);
  // The next round knows nothing of it.
  BlockedCall third([&] { return members[3]->synchronize(2); });
  REQUIRE(members[0]->synchronize(2));
  REQUIRE(third.result());
}

TEST_CASE("a death that makes N unreachable gives all participants the same answer (P4)", "[process]") {
  const ScratchGroup group;
  const Gate arriving;
  std::vector<Child> children;
  for (int i = 0; i < 4; ++i) {
    children.emplace_back([&, i] {
      Communicator com(group.options(i, 4));
      arriving.open();
      if (i == 2) return stayUntilKilled();
      const std::string failed = everything(i == 0 ? com.synchronize() : com.synchronize(4));
      // The survivors can go on.
      return failed + "; then " + com.synchronize(3).text();
    });
    if (i < 3) group.awaitArrivals(i + 1);
  }
  awaitOpen(children, arriving);
  for (const int i : {0, 1, 3}) awaitAsleep(children[static_cast<std::size_t>(i)].pid());
  children[2].kill();
  for (const int i : {0, 1, 3}) {
    CHECK(children[static_cast<std::size_t>(i)].report() ==
          "peer failed, view 1, acknowledged {}, failed {2}, missing {}; then ok");
  }
}

TEST_CASE("a death of somebody who is not needed changes nothing", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child bystander([&] {
    const Communicator com(group.options("P0"));
    ready.open();
    return stayUntilKilled();
  });
  bystander.awaitOpen(ready);
  const Communicator founder(group.options("P1"));
  Communicator a(group.options("P2"));
  Communicator b(group.options("P3"));
  BlockedCall first([&] { return a.synchronize(2); });
  bystander.kill();
  REQUIRE(a.waitView(4));
  CHECK_FALSE(first.hasEnded());
  REQUIRE(b.synchronize(2));
  REQUIRE(first.result());
}

TEST_CASE("whoever dies inside a round counts no longer, even if it had arrived (P2)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child victim([&] {
    Communicator com(group.options("P0"));
    ready.open();
    return com.synchronize(3).text();
  });
  victim.awaitOpen(ready);
  awaitAsleep(victim.pid());
  Communicator a(group.options("P1"));
  Communicator b(group.options("P2"));
  Communicator c(group.options("P3"));
  BlockedCall first([&] { return a.synchronize(3); });
  victim.kill();
  REQUIRE(b.waitView(4));
  BlockedCall second([&] { return b.synchronize(3); });
  CHECK_FALSE(first.hasEnded());
  REQUIRE(c.synchronize(3));
  REQUIRE(first.result());
  REQUIRE(second.result());
}

TEST_CASE("a death before the call fails the round of who counts on the dead, until it looks at the view (P4)",
          "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child victim([&] {
    const Communicator com(group.options("P0"));
    ready.open();
    return stayUntilKilled();
  });
  victim.awaitOpen(ready);
  Communicator a(group.options("P1"));
  Communicator b(group.options("P2"));
  REQUIRE(a.view().number == 3);
  victim.kill();
  REQUIRE(b.waitView(3));
  CHECK(everything(a.synchronize(3)) == "peer failed, view 3, acknowledged {}, failed {0}, missing {}");
  CHECK(everything(a.synchronize(3)) == "peer failed, view 3, acknowledged {}, failed {0}, missing {}");
  // Whoever knows that only two are left asks for a third that may come.
  REQUIRE(a.view().number == 4);
  CHECK(a.synchronize(3, 2ms).status == Status::timeout);
}

TEST_CASE("a participant's deadline ends the round for all of them; they know who was missing (P1)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 4);
  BlockedCall patient([&] { return members[0]->synchronize(4); });
  const std::string expected = "timeout, view 1, acknowledged {}, failed {}, missing {2,3}";
  CHECK(everything(members[1]->synchronize(4, 5ms)) == expected);
  CHECK(everything(patient.result()) == expected);
  // Nobody is left counted in it.
  BlockedCall next([&] { return members[0]->synchronize(2); });
  REQUIRE(members[1]->synchronize(2));
  REQUIRE(next.result());
}

TEST_CASE("any departure fails a round of all members; N of them may still come (P4)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 4);
  BlockedCall first([&] { return members[0]->synchronize(); });
  BlockedCall second([&] { return members[1]->synchronize(); });
  REQUIRE(members[3]->stop());
  const std::string expected = "peer failed, view 1, acknowledged {}, failed {3}, missing {}";
  CHECK(everything(first.result()) == expected);
  CHECK(everything(second.result()) == expected);
}

TEST_CASE("a newcomer belongs to the next round of all members", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  BlockedCall first([&] { return members[0]->synchronize(); });
  Communicator late(group.options("late"));
  BlockedCall newcomer([&] { return late.synchronize(); });
  CHECK_FALSE(first.hasEnded());
  REQUIRE(members[1]->synchronize());
  REQUIRE(first.result());
  CHECK_FALSE(newcomer.hasEnded());
  BlockedCall again([&] { return members[0]->synchronize(); });
  REQUIRE(members[1]->synchronize());
  REQUIRE(again.result());
  REQUIRE(newcomer.result());
}

TEST_CASE("an N that no group can have is refused", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.capacity = 8;
  Communicator com(options);
  for (const int n : {0, -1, 9, kMaxMembers + 1}) {
    const auto error = errorOf([&] { return com.synchronize(n); });
    REQUIRE(error);
    CHECK(error->errc() == Errc::invalidArgument);
    CAPTURE(error->what());
    CHECK(mentions(error->what(), {"N = " + std::to_string(n), "1 to 8"}));
  }
  CHECK(com.synchronize(8, 1ms).status == Status::timeout);  // legal: others may come
  CHECK(com.synchronize(1));
}

TEST_CASE("a kill at any moment: the survivors have passed the same rounds (P4)", "[process][stress]") {
  Random random;
  CAPTURE(random.seed());
  for (int trial = 0; trial < 15; ++trial) {
    const ScratchGroup group;
    const Shared<std::atomic<int>> rounds;
    const Gate ready;
    auto children = forkChildren(4, [&](int i) -> std::string {
      Communicator com(group.options(i, 4));
      ready.open();
      for (int round = 0;; ++round) {
        const Outcome outcome = com.synchronize(4);
        if (outcome) {
          if (i == 3) rounds->fetch_add(1);
          continue;
        }
        // The survivors look at the view, and can go on.
        const int living = com.view().size();
        return std::to_string(round) + " " + everything(outcome) + "; " + std::to_string(living) + " " +
               com.synchronize(living).text();
      }
    });
    awaitOpen(children, ready);
    const int killAt = static_cast<int>(random.below(200));
    while (rounds->load() < killAt) std::this_thread::yield();
    children[3].kill();
    const std::string first = children[0].report();
    CHECK(mentions(first, {"peer failed", "; 3 ok"}));
    CHECK(children[1].report() == first);
    CHECK(children[2].report() == first);
  }
}
