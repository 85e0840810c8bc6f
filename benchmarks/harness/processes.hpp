#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace ronde::bench {

enum class Placement {
  coreEach,  ///< process i on the i-th core; needs as many cores as processes
  oneCore,   ///< all on the first core
  free,      ///< where the kernel likes
};

/// The cores that this process may use.
[[nodiscard]] const std::vector<int>& cores();
/// coreEach if there is a core for each of n, otherwise free.
[[nodiscard]] Placement placementFor(int n);
void pin(Placement placement, int process);

/// Forks processes 0 to n-1, pins each, and returns what each one's `body` returned. They end with their parent.
/// @throws std::runtime_error if one of them throws, dies, or has not ended `limit` seconds later; the rest are
/// killed then.
[[nodiscard]] std::vector<std::string> runProcesses(int n, Placement placement, double limit,
                                                    const std::function<std::string(int)>& body);

/// Runs a program and returns its output, both streams.
/// @throws std::runtime_error with the end of the output if it fails, or has not ended `limit` seconds later.
[[nodiscard]] std::string runProgram(const std::vector<std::string>& command, double limit);

/// Forks a process that ends with this one.
[[nodiscard]] pid_t forkBound(int deathSignal);

}  // namespace ronde::bench
