#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "benchmarks/harness/experiment.hpp"

namespace ronde::bench {

struct Named {
  std::string name;
  Figure figure;
};

/// One row of the table: a metric of an experiment, each figure the median of the repetitions.
struct Row {
  std::string name;
  std::size_t size = 0;
  int n = 1;
  Metric metric;
  std::optional<Figure> ours;
  std::vector<Named> peers;  ///< best first
  std::optional<Named> floor;

  [[nodiscard]] double ratioToBestPeer() const;  ///< ours / best peer; kNone without either
  [[nodiscard]] double ratioToFloor() const;
};

struct Results {
  std::vector<Row> rows;
  std::vector<std::string> failures;  ///< who could not do what, and why
  bool oursFailed = false;
};

struct Plan {
  int repetitions = 1;
  double seconds = 0.1;  ///< of each measurement
};

/// Runs the experiments one after the other, the contenders of each in turn (A B A B), and shows on stderr where
/// it is.
[[nodiscard]] Results run(const std::vector<Experiment>& experiments, const Plan& plan);

}  // namespace ronde::bench
