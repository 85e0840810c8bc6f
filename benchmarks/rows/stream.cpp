#include "benchmarks/rows/contenders.hpp"
#include "benchmarks/rows/probes.hpp"
#include "benchmarks/rows/rows.hpp"

namespace ronde::bench {

std::vector<Experiment> streamRows(const Scale& scale) {
  const Metric rate{"", "1/s", Better::higher};
  const std::vector<std::size_t> sizes =
      scale.quick
          ? std::vector<std::size_t>{64, 1 << 10, 64 << 10}
          : std::vector<std::size_t>{16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20};
  std::vector<Experiment> list;
  for (const std::size_t size : sizes) {
    list.push_back(experimentOf("stream", "fan_in", {2, size, Waiting::spin}, Placement::coreEach, rate));
    list.back().floor = copyRateProbe(size);
  }
  const std::vector<int> groups = scale.quick ? std::vector{4} : std::vector{3, 4, 8, 16};
  for (const auto& [row, pattern] : {std::pair{"stream, N-1 to 1", "fan_in"}, {"stream, 1 to N-1", "fan_out"}}) {
    for (const int n : groups) {
      list.push_back(experimentOf(row, pattern, {n, 64, Waiting::mixed}, placementFor(n), rate));
    }
  }
  return list;
}

}  // namespace ronde::bench
