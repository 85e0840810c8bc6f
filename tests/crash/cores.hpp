#pragma once

#include <sched.h>

#include <stdexcept>
#include <vector>

namespace ronde::crash {

/// The cores that the calling thread may use.
inline std::vector<int> permittedCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

/// Binds the calling thread to these.
inline void pinTo(const std::vector<int>& cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) throw std::runtime_error("cannot bind a thread to a core");
}

}  // namespace ronde::crash
