#pragma once

#include <string>

#include "benchmarks/harness/runner.hpp"

namespace ronde::bench {

/// "one way 64 B, n = 2"
[[nodiscard]] std::string title(const Experiment& experiment);
/// For people: "1.24 us" for nanoseconds, "44 M/s" for a rate.
[[nodiscard]] std::string valueText(double value, const std::string& unit);
[[nodiscard]] std::string timeText(double nanoseconds);
[[nodiscard]] std::string sizeText(std::size_t bytes);

}  // namespace ronde::bench
