#include <array>
#include <atomic>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/shared.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

/// What the section protects: plain memory, which only exclusion keeps right.
struct Ledger {
  static constexpr int kMost = 20'000;
  int entries = 0;
  std::atomic<int> inside{0};
  std::array<std::uint64_t, kMost> fences{};
};

/// Enters `times` times; every way to enter and to leave takes its turn.
std::string work(Communicator& com, Ledger& ledger, int times) {
  for (int i = 0; i < times; ++i) {
    auto section = i % 3 == 0 ? com.trySC() : com.requestSC();
    while (section.status() == Status::empty) section = com.requestSC();
    if (!section) return std::string(toString(section.status()));
    if (ledger.inside.fetch_add(1) != 0) return "two in the section";
    ledger.fences[static_cast<std::size_t>(ledger.entries)] = section->fence();
    ledger.entries = ledger.entries + 1;
    if (ledger.inside.fetch_sub(1) != 1) return "two in the section";
    if (i % 4 == 0 && !com.releaseSC()) return "could not release";
    if (i % 4 == 1) section->release();
  }
  return "done";
}

void checkLedger(const Ledger& ledger, int entries) {
  CHECK(ledger.entries == entries);
  int steps = 0;
  for (int i = 1; i < ledger.entries; ++i) {
    const auto at = static_cast<std::size_t>(i);
    steps += ledger.fences[at] > ledger.fences[at - 1] ? 1 : 0;
  }
  CHECK(steps == entries - 1);  // every fence is greater than the one before
}

}  // namespace

TEST_CASE("at most one process is in the section, and each entry has a greater fence (P3)", "[process]") {
  const ScratchGroup group;
  constexpr int kCount = 4;
  constexpr int kTimes = 3000;
  const Shared<Ledger> ledger;
  auto children = forkChildren(kCount, [&](int i) {
    Communicator com(group.options(i, kCount));
    return work(com, *ledger, kTimes);
  });
  CHECK(reportsOf(children) == std::vector<std::string>(kCount, "done"));
  checkLedger(*ledger, kCount * kTimes);
}

TEST_CASE("at most one of the members and threads of one process is in the section (P3)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  constexpr int kTimes = 200;
  const auto ledger = std::make_unique<Ledger>();
  // Two threads for each member.
  const auto results = inThreads(6, [&](int i) {
    Communicator& com = *members[static_cast<std::size_t>(i / 2)];
    for (int done = 0; done < kTimes; ++done) {
      const auto section = com.requestSC();
      if (!section) return std::string(toString(section.status()));
      if (ledger->inside.fetch_add(1) != 0) return std::string("two in the section");
      ledger->fences[static_cast<std::size_t>(ledger->entries++)] = section->fence();
      ledger->inside.fetch_sub(1);
    }
    return std::string("done");
  });
  CHECK(results == std::vector<std::string>(6, "done"));
  checkLedger(*ledger, 6 * kTimes);
}

TEST_CASE("waiting members enter in ring order, whoever asked first (Le Lann 1977)", "[threads]") {
  const ScratchGroup group;
  constexpr int kCount = 5;
  const auto members = foundGroup(group, kCount);
  auto held = members[2]->requestSC();
  REQUIRE(held);
  std::string order;  // written inside the section only
  const auto enter = [&](int id) {
    return [&order, &members, id] {
      const auto section = members[static_cast<std::size_t>(id)]->requestSC();
      if (section) order += std::to_string(id);
      return section.ok();
    };
  };
  BlockedCall four(enter(4));
  BlockedCall one(enter(1));
  BlockedCall zero(enter(0));
  BlockedCall three(enter(3));
  held->release();
  REQUIRE(four.result());
  REQUIRE(one.result());
  REQUIRE(zero.result());
  REQUIRE(three.result());
  CHECK(order == "3401");
}

TEST_CASE("nobody is passed over: between two turns of one member each waiting one has a turn (Le Lann 1977)",
          "[process]") {
  const ScratchGroup group;
  constexpr int kCount = 3;
  constexpr int kTimes = 300;
  struct Log {
    int entries = 0;
    std::array<int, 4 * kCount * kTimes> who{};
    std::array<std::atomic<bool>, kCount> waits{};
    int passedOver = 0;
    std::array<int, kCount> missed{};
  };
  const Shared<Log> log;
  auto children = forkChildren(kCount, [&](int i) {
    Communicator com(group.options(i, kCount));
    const auto id = static_cast<std::size_t>(com.id());
    for (int done = 0; done < kTimes; ++done) {
      log->waits[id] = true;
      const auto section = com.requestSC();
      if (!section) return std::string(toString(section.status()));
      log->waits[id] = false;
      log->missed[id] = 0;
      // Whoever waits now must not see this member again before its own turn; one turn of grace, since it may
      // have said so and not asked yet.
      for (std::size_t other = 0; other < kCount; ++other) {
        if (log->waits[other] && ++log->missed[other] > 2 * kCount) ++log->passedOver;
      }
    }
    return std::string("done");
  });
  CHECK(reportsOf(children) == std::vector<std::string>(kCount, "done"));
  CHECK(log->passedOver == 0);
}

TEST_CASE("the holder is killed: the next one enters with a greater fence (P2, P3)", "[process]") {
  const ScratchGroup group;
  const Gate holding;
  const Shared<std::atomic<std::uint64_t>> fence;
  Child holder([&] {
    Communicator com(group.options("P0"));
    const auto section = com.requestSC();
    *fence = section->fence();
    holding.open();
    return stayUntilKilled();
  });
  holder.awaitOpen(holding);
  Communicator first(group.options("P1"));
  Communicator second(group.options("P2"));
  CHECK(first.trySC().status() == Status::empty);
  BlockedCall waiting([&] {
    const auto section = first.requestSC();
    return section ? section->fence() : 0;
  });
  CHECK_FALSE(waiting.hasEnded());
  holder.kill();
  const std::uint64_t next = waiting.result();
  CHECK(next > *fence);
  CHECK(second.requestSC()->fence() > next);
}

TEST_CASE("a member that dies while it waits for the section is passed over (P2)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child waiter([&] {
    Communicator com(group.options("P0"));
    ready.open();
    awaitSize(com, 3);
    ready.open();
    return std::string(toString(com.requestSC().status()));
  });
  waiter.awaitOpen(ready);
  Communicator holder(group.options("P1"));
  auto held = holder.requestSC();
  REQUIRE(held);
  Communicator other(group.options("P2"));
  waiter.awaitOpen(ready);
  awaitAsleep(waiter.pid());
  BlockedCall waiting([&] { return other.requestSC().ok(); });
  waiter.kill();
  held->release();
  CHECK(waiting.result());
  CHECK(holder.requestSC());
}

TEST_CASE("kills at any moment never lose the token nor double it (P2, P3)", "[process][stress]") {
  const ScratchGroup group;
  const Shared<Ledger> ledger;
  const Shared<std::atomic<std::uint64_t>> lastFence;
  const Shared<std::atomic<int>> turns;
  const Gate over;
  const auto live = [&](Communicator& com) {
    const auto section = com.requestSC();
    if (!section) return std::string(toString(section.status()));
    // Killed in here, it leaves no trace but a fence that the next one must exceed.
    if (lastFence->exchange(section->fence()) >= section->fence()) return std::string("the fence did not grow");
    turns->fetch_add(1);
    return std::string();
  };
  Child survivor([&] {
    Communicator com(group.options("survivor"));
    std::string fault;
    while (fault.empty() && !over.passSoon()) {
      for (int i = 0; i < 50 && fault.empty(); ++i) fault = live(com);
    }
    return fault;
  });
  group.awaitArrivals(1);
  for (int round = 0; round < 30; ++round) {
    auto victims = forkChildren(2, [&](int i) {
      Communicator com(group.options("victim" + std::to_string(i), 1));
      std::string fault;
      while (fault.empty()) fault = live(com);
      return fault;
    });
    const int seen = *turns;
    while (*turns < seen + 20 + round) std::this_thread::yield();
    for (Child& victim : victims) victim.kill();
    for (Child& victim : victims) CHECK(victim.report() == "<signal 9>");
  }
  over.open();
  CHECK(survivor.report().empty());
}

TEST_CASE("requestSC ends at its deadline, and asks for nothing afterwards (P1)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  auto held = members[0]->requestSC();
  REQUIRE(held);
  CHECK(members[1]->requestSC(1ms).status() == Status::timeout);
  held->release();
  // The token is not on its way to somebody who has given up.
  for (int i = 0; i < 3; ++i) CHECK(members[0]->requestSC(5s));
  CHECK(members[1]->requestSC(5s));
}

TEST_CASE("a deadline that meets the token loses it to nobody (P2)", "[threads][stress]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  const auto results = inThreads(3, [&](int id) -> std::string {
    Communicator& com = *members[static_cast<std::size_t>(id)];
    int entered = 0;
    for (int i = 0; entered < 200; ++i) {
      const auto section = com.requestSC(std::chrono::microseconds(i % 60));
      if (section) {
        ++entered;
      } else if (section.status() != Status::timeout) {
        return std::string(toString(section.status()));
      }
    }
    return "";
  });
  CHECK(results == std::vector<std::string>(3));
  for (const auto& member : members) CHECK(member->trySC().ok());
}

TEST_CASE("trySC enters a free section, and answers at once if it is not free", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  auto held = members[1]->trySC();
  REQUIRE(held);
  CHECK(members[0]->trySC().status() == Status::empty);
  CHECK(members[1]->trySC().status() == Status::empty);  // by a second call of the same process
  held->release();
  CHECK(members[0]->trySC());
}

TEST_CASE("the guard gives the section back once: by scope, by release(), by releaseSC() or by moving",
          "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  Communicator& com = *members[0];
  const auto isFree = [&] { return members[1]->trySC().ok(); };
  {
    const auto scope = com.requestSC();
    CHECK_FALSE(isFree());
  }
  CHECK(isFree());

  auto inert = com.requestSC();
  const std::uint64_t fence = inert->fence();
  REQUIRE(com.releaseSC());
  CHECK(inert->fence() == fence);
  const auto current = com.requestSC();
  inert->release();  // of a former holding: gives nothing back
  CHECK_FALSE(isFree());
  REQUIRE(com.releaseSC());
  CHECK(isFree());

  auto first = com.requestSC();
  REQUIRE(first);
  {
    const Section moved = std::move(*first);
    CHECK_FALSE(isFree());
    CHECK(moved.fence() > fence);
  }
  CHECK(isFree());
}

TEST_CASE("releaseSC without the section is a mistake that is named", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  const auto check = [&] {
    const auto error = errorOf([&] { return members[0]->releaseSC(); });
    REQUIRE(error);
    CHECK(error->errc() == Errc::notHolding);
    CAPTURE(error->what());
    CHECK(mentions(error->what(), {"P0", "requestSC"}));
  };
  check();
  const auto section = members[1]->requestSC();
  check();  // somebody else holds it
  REQUIRE(members[0]->requestSC(1ms).status() == Status::timeout);
  check();
}

TEST_CASE("one section per process: its second thread waits for the first", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  auto held = com.requestSC();
  REQUIRE(held);
  const std::uint64_t fence = held->fence();
  CHECK(com.requestSC(1ms).status() == Status::timeout);
  BlockedCall second([&] { return com.requestSC()->fence(); });
  CHECK_FALSE(second.hasEnded());
  held->release();
  CHECK(second.result() > fence);
}

TEST_CASE("a holder that leaves passes the token on (specification, stop)", "[threads]") {
  const ScratchGroup group;
  auto members = foundGroup(group, 3);
  const auto held = members[1]->requestSC();
  REQUIRE(held);
  BlockedCall waiting([&] { return members[0]->requestSC()->fence(); });
  REQUIRE(members[1]->stop());
  CHECK(waiting.result() > held->fence());
  CHECK(members[2]->trySC());
}
