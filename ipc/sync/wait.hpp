#pragma once

#include <sched.h>

#include <ronde/options.hpp>

#include "ipc/sync/deadline.hpp"
#include "ipc/sync/wake_word.hpp"

namespace ronde::detail {

inline void cpuRelax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// How long each stage of waiting lasts. Measured (N processes, two cores): spinning pays only while everybody
/// has a core; yielding costs about 1 us a switch; waking a halted core 35 us.
struct WaitPlan {
  WaitMode mode = WaitMode::adaptive;
  bool spinFirst = true;  ///< as far as is known, every member can have a core of its own
  std::chrono::nanoseconds spin = std::chrono::microseconds(20);
  std::chrono::nanoseconds yield = std::chrono::microseconds(100);
  /// A wake lost with a waker that died is made up for after at most this.
  std::chrono::nanoseconds slice = std::chrono::milliseconds(100);
};

/// THE wait loop: returns true once `ready()` is true, false at the deadline. `ready` must also become true on
/// whatever else ends the wait (stop, eviction, view change); whoever causes that wakes `event`.
template <class Ready>
bool waitUntil(WakeWord& event, const WaitPlan& plan, const Deadline& deadline, Ready ready) {
  if (ready()) return true;
  const Clock::time_point start = Clock::now();
  const auto elapsed = [start] { return std::chrono::nanoseconds(Clock::now() - start); };

  if (plan.mode != WaitMode::block && plan.spinFirst) {
    const auto spinLimit =
        plan.mode == WaitMode::busy ? deadline.remaining() : std::min(plan.spin, deadline.remaining());
    do {
      for (int i = 0; i < 32; ++i) {
        if (ready()) return true;
        cpuRelax();
      }
    } while (elapsed() < spinLimit);
  }
  if (plan.mode != WaitMode::block) {
    const auto yieldLimit = plan.mode == WaitMode::busy ? std::chrono::nanoseconds::max() : plan.spin + plan.yield;
    while (elapsed() < yieldLimit && !deadline.passed()) {
      sched_yield();
      if (ready()) return true;
    }
  }
  for (;;) {
    const auto remaining = deadline.remaining();
    if (remaining.count() <= 0) return false;
    const std::uint32_t announced = event.announce();
    if (ready()) return true;
    event.sleep(announced, std::min(remaining, plan.slice));
    if (ready()) return true;
  }
}

}  // namespace ronde::detail
