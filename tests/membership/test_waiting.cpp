#include <sched.h>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

/// A set of the cores with these numbers, whether the machine has them or not.
CpuSet cores(std::initializer_list<std::size_t> list) {
  CpuSet set;
  for (const std::size_t core : list) set.words[core / 64] |= std::uint64_t{1} << (core % 64);
  return set;
}

bool spins(BareMember& member) {
  member.context.noteView(*member.roster.current());
  return member.context.waitPlan().spinFirst;
}

}  // namespace

// Bound to a core each, as MPI launchers and latency-minded users do, every member sees a single core of its own.
TEST_CASE("waiting spins if the members have a core each, also if each may use one only", "[membership]") {
  const BareGroup group(2);
  group[0].table().cpus = cores({0});
  group[1].table().cpus = cores({200});
  CHECK(spins(group[0]));
  group[1].table().cpus = cores({0});
  CHECK_FALSE(spins(group[0]));
  group[0].table().cpus = cores({0, 1});
  CHECK(spins(group[0]));
}

TEST_CASE("waiting: who shares its only core does not spin, though another has one to spare", "[membership]") {
  const BareGroup group(3);
  group[0].table().cpus = cores({0});
  group[1].table().cpus = cores({0});
  group[2].table().cpus = cores({1, 2});
  CHECK_FALSE(spins(group[0]));
  CHECK_FALSE(spins(group[1]));
  CHECK(spins(group[2]));
}

TEST_CASE("waiting: nobody spins beside a member whose cores are unknown", "[membership]") {
  const BareGroup group(2);
  group[0].table().cpus = cores({0});
  group[1].table().cpus = cores({});
  CHECK_FALSE(spins(group[0]));
  CHECK_FALSE(spins(group[1]));
}

TEST_CASE("waiting: a member that departs leaves its core to the others", "[membership]") {
  BareGroup group(3);
  for (std::size_t i = 0; i < 3; ++i) group[i].table().cpus = cores({0, 1});
  CHECK_FALSE(spins(group[0]));
  group.bury(group[1], group[0]);
  CHECK(spins(group[0]));
}

TEST_CASE("waiting: a member registers the cores that its thread may use", "[membership]") {
  cpu_set_t before;
  REQUIRE(sched_getaffinity(0, sizeof(before), &before) == 0);
  int last = 0;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    last = CPU_ISSET(static_cast<unsigned>(core), &before) ? core : last;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<unsigned>(last), &one);
  REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
  const BareGroup group(1);
  REQUIRE(sched_setaffinity(0, sizeof(before), &before) == 0);
  CHECK(group[0].table().cpus.words == cores({static_cast<std::size_t>(last) % 256}).words);
  CHECK(CpuSet::ofThisThread().count() == std::min(CPU_COUNT(&before), 256));
}
