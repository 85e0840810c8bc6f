#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

namespace ronde::crash {

/// Count, min, p50, p99 and max of `times`; null if there are none: no figure is not a good figure.
inline nlohmann::json distribution(std::vector<double> times) {
  if (times.empty()) return nullptr;
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[std::min(times.size() - 1, static_cast<std::size_t>(share * static_cast<double>(times.size())))];
  };
  return {
      {"count", times.size()}, {"min", times.front()}, {"p50", at(0.5)}, {"p99", at(0.99)}, {"max", times.back()}};
}

}  // namespace ronde::crash
