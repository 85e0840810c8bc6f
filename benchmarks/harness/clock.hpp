#pragma once

#include <chrono>
#include <cstdint>
#include <thread>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace ronde::bench {

/// The cheapest clock there is: some 10 ns a read, so that it does not drown what is measured. Comparable between
/// the cores of one machine.
using Ticks = std::uint64_t;

inline Ticks ticks() {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return static_cast<Ticks>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

/// Measured at the first call, which takes 20 ms; forked processes inherit it.
inline double nanosecondsPerTick() {
  static const double value = [] {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    const Ticks first = ticks();
    while (Clock::now() - begin < std::chrono::milliseconds(20)) std::this_thread::yield();
    const auto elapsed = std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
    return elapsed / static_cast<double>(ticks() - first);
  }();
  return value;
}

inline double nanoseconds(Ticks span) { return static_cast<double>(span) * nanosecondsPerTick(); }
inline Ticks ticksOf(double seconds) { return static_cast<Ticks>(seconds * 1e9 / nanosecondsPerTick()); }

/// For loops that poll something another core writes.
inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

}  // namespace ronde::bench
