// Found by flipping bits: garbage in the number of the current view kept a service thread busy for ever, and
// stop() with it. With an observer, it went through all views between the last one that it had told and the
// current one. Remedy: it goes back no further than the views that the segment remembers.

#include <sched.h>

#include <ronde/inspect.hpp>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/scratch_group.hpp"

using namespace ronde;
using namespace ronde::testing;

TEST_CASE("garbage in the view's number does not keep an observed member from its end (P6)") {
  const ScratchGroup group;
  Options options = group.impatient("P0");
  options.observer = [](const Event&) {};
  {
    Communicator observed(options);
    const BareMember vandal(group.options("P1"), "P1");
    const std::uint64_t beats = vandal.segment->slot(observed.member().slot).beats;
    vandal.segment->control().viewNumber.store(std::uint64_t{1} << 60);
    vandal.segment->slot(observed.member().slot).service.wake();
    // Two beats later the service thread has come past it, or the watchdog ends us.
    while (vandal.segment->slot(observed.member().slot).beats < beats + 2) sched_yield();
    static_cast<void>(observed.stop());
  }
  static_cast<void>(removeStaleSegments());
}
