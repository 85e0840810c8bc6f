#pragma once

#include <string>

#include "benchmarks/harness/runner.hpp"

namespace ronde::bench {

/// The table, in Markdown that also reads well in a terminal.
[[nodiscard]] std::string table(const Results& results);
/// An array of rows; see README.md.
[[nodiscard]] std::string json(const Results& results);
/// What plots.gp draws: one .dat file per plot, in `folder`.
void writePlotData(const Results& results, const std::string& folder);

}  // namespace ronde::bench
