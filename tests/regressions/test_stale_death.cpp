// Found by the soak after 28 426 kills: a member was told that it was evicted right after it had registered. A
// newcomer looks for the dead before it takes the registry's lock. Until it had the lock, somebody else had
// removed the dead member, and a third process had registered in its slot; the newcomer then marked that slot as
// departed. Remedy: under the lock, only those count as dead that are still in their slots.

#include <thread>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("a death seen before the registry's lock does not remove the slot's next owner (P2, P4)") {
  const Watchdog watchdog;
  BareGroup group(2);
  BareMember& newcomer = group.add();
  BareMember& dead = group[1];
  dead.die();
  SlotLock& lock = group.segment().control().registryLock;
  REQUIRE(holdsLock(lock.lock(group[0].self, group[0].liveness, soon())));
  Admission admission{};
  std::thread registering([&] { admission = newcomer.admit(); });
  // It has looked for the dead once it sleeps at the lock.
  const auto& word = reinterpret_cast<const Word&>(lock);
  while ((word.load() >> 31) == 0) std::this_thread::yield();

  // Meanwhile somebody else registers in the slot.
  REQUIRE(dead.segment->claimSlot(dead.self.slot));
  dead.table().life.store(0);
  const SlotWord next{dead.self.incarnation + 1, Phase::active, {}};
  dead.table().word.store(next.pack());
  lock.unlock();
  registering.join();
  CHECK(admission == Admission::admitted);
  CHECK(dead.table().word.load() == next.pack());
}
