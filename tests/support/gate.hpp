#pragma once

#include <semaphore.h>

#include <cerrno>
#include <ctime>

#include "tests/support/shared.hpp"

namespace ronde::testing {

/// Lets as many through as it was opened for: how threads and forked processes of a test wait for each other.
class Gate {
 public:
  Gate() { sem_init(&*semaphore_, 1, 0); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() = default;

  void open(int times = 1) const {
    for (int i = 0; i < times; ++i) sem_post(&*semaphore_);
  }
  void pass(int times = 1) const {
    for (int i = 0; i < times; ++i) {
      while (sem_wait(&*semaphore_) != 0 && errno == EINTR) {
      }
    }
  }
  /// False if nobody opened it within about 20 ms: for waiters who look at something else meanwhile.
  [[nodiscard]] bool passSoon() const {
    timespec until{};
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20'000'000;
    if (until.tv_nsec >= 1'000'000'000) {
      until.tv_nsec -= 1'000'000'000;
      ++until.tv_sec;
    }
    return sem_timedwait(&*semaphore_, &until) == 0;
  }

 private:
  Shared<sem_t> semaphore_;
};

}  // namespace ronde::testing
