#include "benchmarks/rows/contenders.hpp"
#include "benchmarks/rows/probes.hpp"
#include "benchmarks/rows/rows.hpp"

namespace ronde::bench {
namespace {

const Metric kTime{"", "ns", Better::lower};

Experiment oneWay(const char* row, std::size_t size, Waiting waiting, Placement placement) {
  return experimentOf(row, "one_way", {2, size, waiting}, placement, kTime);
}

}  // namespace

std::vector<Experiment> oneWayRows(const Scale& scale) {
  const std::vector<std::size_t> sizes =
      scale.quick
          ? std::vector<std::size_t>{16, 64, 4 << 10, 64 << 10, 1 << 20}
          : std::vector<std::size_t>{16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20};
  std::vector<Experiment> list;
  for (const std::size_t size : sizes) {
    list.push_back(oneWay("one way", size, Waiting::spin, Placement::coreEach));
    list.back().floor = size < 4096 ? cacheLineProbe() : copyProbe(size);
  }
  list.push_back(oneWay("one way, default waiting", 64, Waiting::mixed, Placement::coreEach));
  list.back().floor = cacheLineProbe();
  list.push_back(oneWay("one way, receiver blocked", 64, Waiting::block, Placement::coreEach));
  list.back().floor = futexProbe(Placement::coreEach);
  list.push_back(oneWay("one way, one core", 64, Waiting::mixed, Placement::oneCore));
  list.back().floor = futexProbe(Placement::oneCore);
  return list;
}

}  // namespace ronde::bench
