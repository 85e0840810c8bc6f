#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "benchmarks/harness/figure.hpp"

namespace ronde::bench {

enum class Better { lower, higher };

struct Metric {
  std::string name;  ///< empty if the experiment has only this one
  std::string unit;  ///< ns, 1/s, B, % or nothing
  Better better = Better::lower;
};

/// Somebody who can do the work of an experiment: one figure for each of its metrics.
struct Contender {
  std::string name;
  std::function<Figures(double seconds)> run;
};

/// One piece of work that all contenders do, and what of it is measured: as many rows of the table as metrics.
struct Experiment {
  std::string row;
  std::size_t size = 0;  ///< bytes of the message; 0 if there is none
  int n = 1;             ///< processes
  std::vector<Metric> metrics;
  std::vector<Contender> contenders;
  std::optional<Contender> floor;  ///< what the hardware or the kernel needs, for the first metric
};

inline const std::string kOurs = "ronde";

}  // namespace ronde::bench
