#include "tests/support/watchdog.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace ronde::testing {
namespace {

int depth = 0;

// An alarm rather than a thread, so that tests fork from a process with one thread. The framework reports the
// abort under the name of the test; the children end with their parent.
void bark(int) {
  constexpr char kText[] = "\nwatchdog: the test below did not end in time; it hangs\n";
  static_cast<void>(!write(STDERR_FILENO, kText, sizeof(kText) - 1));
  std::abort();
}

}  // namespace

Watchdog::Watchdog(std::chrono::seconds limit) {
  if (depth++ > 0) return;
  std::signal(SIGALRM, bark);
  alarm(static_cast<unsigned>(limit.count()));
}

Watchdog::~Watchdog() {
  if (--depth == 0) alarm(0);
}

}  // namespace ronde::testing
