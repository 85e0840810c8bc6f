#include "ipc/segment/fork_guard.hpp"

#include <fcntl.h>

#include "tests/support/catch.hpp"
#include "tests/support_internal/child.hpp"
#include "tests/support_internal/watchdog.hpp"

using namespace ronde::detail;
using namespace ronde::test;

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
  Child child([&] {
    if (forkGeneration() != here + 1) return 1;
    Child grandchild([&] { return forkGeneration() == here + 2 ? 0 : 1; });
    return grandchild.wait();
  });
  CHECK(child.wait() == 0);
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
  Child child([&] {
    if (isOpen(guarded) || !isOpen(released) || !isOpen(other)) return 1;
    // A number that is in use again belongs to whoever uses it now: the child's child keeps it.
    const int again = anyFile();
    Child grandchild([&] { return again == guarded && isOpen(again) ? 0 : 2; });
    return grandchild.wait();
  });
  CHECK(child.wait() == 0);
  CHECK(isOpen(guarded));
  forgetForkedChild(guarded);
  for (const int fd : {guarded, released, other}) close(fd);
}
