#pragma once

#include <vector>

#include "benchmarks/harness/experiment.hpp"

namespace ronde::bench {

/// How much of each family is run.
struct Scale {
  bool quick = false;
};

// One file each; README.md says of each row between which two events it measures.
std::vector<Experiment> floors(const Scale& scale);
std::vector<Experiment> oneWayRows(const Scale& scale);
std::vector<Experiment> streamRows(const Scale& scale);
std::vector<Experiment> synchronousRows(const Scale& scale);
std::vector<Experiment> barrierRows(const Scale& scale);
std::vector<Experiment> sectionRows(const Scale& scale);
std::vector<Experiment> lifecycleRows(const Scale& scale);
std::vector<Experiment> groupRows(const Scale& scale);
std::vector<Experiment> inProcessRows(const Scale& scale);

/// In the order of the table.
std::vector<Experiment> allRows(const Scale& scale);

}  // namespace ronde::bench
