#pragma once

#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace ronde::test {

/// Ends a test that hangs. A signal rather than a thread, so that a test may fork.
class Watchdog {
 public:
  explicit Watchdog(unsigned seconds = 60) {
    std::signal(SIGALRM, [](int) {
      constexpr char kText[] = "watchdog: the test hangs\n";
      static_cast<void>(!write(STDERR_FILENO, kText, sizeof(kText) - 1));
      std::abort();  // Catch2 reports it, with the seed
    });
    alarm(seconds);
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog() {
    alarm(0);
    std::signal(SIGALRM, SIG_DFL);
  }
};

}  // namespace ronde::test
