// Found by the crash explorer (`--op create --mode stop`): a process that was stopped while it registered as the
// first of its group, under the registry's lock, barred everybody from the group. Only members judged who is
// silent, and there was none yet, so nobody fenced it and each newcomer's registration ended at its deadline.
// Remedy: a newcomer judges silence, too, from the start of its service thread on.

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/scratch_group.hpp"

using namespace ronde;
using namespace ronde::testing;

TEST_CASE("a process stopped while it registers as the first does not bar the others (P1, P2)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child founder([&]() -> std::string {
    BareMember me(group.impatient("P0"), "P0");
    if (!holdsLock(me.segment->control().registryLock.lock(me.self, me.liveness, soon()))) return "no lock";
    ready.open();
    return stayUntilKilled();
  });
  founder.awaitOpen(ready);
  founder.stop();
  Communicator newcomer(group.impatient("P1"));
  CHECK(newcomer.view().size() == 1);
  CHECK(newcomer.name() == "P1");
}
