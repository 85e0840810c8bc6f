#include "ipc/segment/fork_guard.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde::detail;
using namespace ronde::testing;

namespace {

bool isOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

int anyFile() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

}  // namespace

// Design §4: a forked child must not look like its parent's membership.
TEST_CASE("fork guard: a child has another generation and so has its child", "[segment]") {
  const Watchdog watchdog;
  const int fd = anyFile();
  {
    const ForkPause pause;  // installs the handlers
    closeInForkedChild(fd);
  }
  const std::uint64_t here = forkGeneration();
  const auto generation = [] { return std::to_string(forkGeneration()); };
  Child child([&] { return generation() + " " + Child(generation).report(); });
  CHECK(child.report() == std::to_string(here + 1) + " " + std::to_string(here + 2));
  CHECK(forkGeneration() == here);
  forgetForkedChild(fd);
  close(fd);
}

TEST_CASE("fork guard: a child has exactly the guarded descriptors closed", "[segment]") {
  const Watchdog watchdog;
  const int guarded = anyFile();
  const int released = anyFile();
  const int other = anyFile();
  {
    const ForkPause pause;
    closeInForkedChild(guarded);
    closeInForkedChild(released);
    forgetForkedChild(released);
  }
  Child child([&]() -> std::string {
    if (isOpen(guarded) || !isOpen(released) || !isOpen(other)) return "the wrong ones are open";
    // A number that is in use again belongs to whoever uses it now: the child's child keeps it.
    const int again = anyFile();
    if (again != guarded) return "skipped: the number is not in use again";
    return Child([&] { return std::string(isOpen(again) ? "" : "the child's own is closed"); }).report();
  });
  CHECK(child.report().empty());
  CHECK(isOpen(guarded));
  forgetForkedChild(guarded);
  for (const int fd : {guarded, released, other}) close(fd);
}
