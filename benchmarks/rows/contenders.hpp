#pragma once

#include <string>
#include <vector>

#include "benchmarks/harness/experiment.hpp"
#include "benchmarks/harness/processes.hpp"
#include "benchmarks/peers/transport.hpp"

namespace ronde::bench {

/// Longer than anything takes: who has no result by then hangs.
inline constexpr double kRunLimit = 30;

/// Every transport, and every MPI, that can do `pattern` in this setting.
[[nodiscard]] std::vector<Contender> contendersFor(const std::string& pattern, const Setting& setting,
                                                   Placement placement);

/// "one way 64 B" and the like are named by the table; this is an experiment with one metric.
[[nodiscard]] Experiment experimentOf(std::string row, const std::string& pattern, const Setting& setting,
                                      Placement placement, Metric metric);

}  // namespace ronde::bench
