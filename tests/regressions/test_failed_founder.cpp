// Found by the sweep of RLIMIT_AS in tests/setup: a founder whose file had its name already, but could not be
// mapped, threw and left the name behind until the next group swept it. The class Creation in segment.cpp now
// takes the name back. The sweeps found two more: no thread to be had was a bare std::system_error that said
// "Resource temporarily unavailable", and a failed allocation in the sweep of /dev/shm, which was noexcept, ended
// the process.

#include <sys/resource.h>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"

using namespace ronde;
using namespace ronde::testing;

TEST_CASE("a founder that cannot map its segment takes the name back (P7)", "[process]") {
  const ScratchGroup group;
  Child child([&] {
    // Its largest message makes the segment by far larger than what is left of the address space.
    Options options = group.options("P0");
    options.maxMessage = 64 << 20;
    const rlimit limit{512 << 20, 512 << 20};
    setrlimit(RLIMIT_AS, &limit);
    const std::string text = errorText([&] { return Communicator(options).id(); });
    return text + (group.exists() ? " AND LEFT SOMETHING" : "");
  });
  const std::string report = child.report();
  CAPTURE(report);
  CHECK(mentions(report, {"mapping the segment", "RLIMIT_AS"}));
  CHECK_FALSE(mentions(report, {"LEFT"}));
}
