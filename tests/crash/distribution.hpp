#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace ronde::crash {

/// Count, min, p50, p99 and max of `times`; zeros if there are none.
inline nlohmann::json distribution(std::vector<double> times) {
  const std::size_t count = times.size();
  if (times.empty()) times.push_back(0);
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[std::min(times.size() - 1, static_cast<std::size_t>(share * static_cast<double>(times.size())))];
  };
  return {{"count", count}, {"min", times.front()}, {"p50", at(0.5)}, {"p99", at(0.99)}, {"max", times.back()}};
}

}  // namespace ronde::crash
