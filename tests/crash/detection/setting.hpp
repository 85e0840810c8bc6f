#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/crash/cores.hpp"

namespace ronde::crash {

constexpr std::chrono::seconds kPatience{30};
constexpr std::size_t kMaxSurvivors = 31;

/// The cores that victim and survivors are bound to; none: the kernel places them.
struct Placement {
  std::vector<int> victim;
  std::vector<int> survivors;

  /// The victim on one, the survivors on the others; nothing where there is only one.
  static std::optional<Placement> apart() {
    const std::vector<int> cores = permittedCores();
    if (cores.size() < 2) return std::nullopt;
    return Placement{{cores.front()}, {cores.begin() + 1, cores.end()}};
  }
};

/// Binds the calling thread; to none: leaves it as it is.
inline void placeOn(const std::vector<int>& cores) {
  if (!cores.empty()) pinTo(cores);
}

/// Takes so many bytes, every page of them written to, until the process ends.
inline void touchMemory(std::size_t bytes) {
  if (bytes == 0) return;
  if (mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) ==
      MAP_FAILED) {
    throw std::runtime_error("no memory for a large victim");
  }
}

/// Of the clock that all processes share.
inline std::int64_t nowNs() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

template <class Ready>
void await(const char* what, Ready ready) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!ready()) {
    if (std::chrono::steady_clock::now() > until) throw std::runtime_error(std::string("waited in vain: ") + what);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

/// When each survivor knew, by nowNs(); 0: not yet. In shared memory.
using Notices = std::array<std::atomic<std::int64_t>, kMaxSurvivors>;

inline double millisecondsBetween(std::int64_t from, std::int64_t to) {
  return static_cast<double>(to - from) / 1e6;
}

/// By nowNs().
struct Incident {
  std::int64_t signalled = 0;
  std::int64_t allKnew = 0;  ///< when the last survivor knew
};

inline Incident signalAndAwait(pid_t victim, int signal, const Notices& notices, std::size_t survivors) {
  const auto end = notices.begin() + static_cast<std::ptrdiff_t>(survivors);
  Incident incident{nowNs(), 0};
  kill(victim, signal);
  // Who looks all the time takes a core from those who are to be woken.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  await("all survivors know",
        [&] { return std::all_of(notices.begin(), end, [](const auto& notice) { return notice != 0; }); });
  std::for_each(notices.begin(), end,
                [&](const auto& notice) { incident.allKnew = std::max(incident.allKnew, notice.load()); });
  return incident;
}

}  // namespace ronde::crash
