#include "benchmarks/rows/probes.hpp"
#include "benchmarks/rows/rows.hpp"

namespace ronde::bench {
namespace {

Experiment probe(std::string row, std::size_t size, int n, Contender floor) {
  return {std::move(row), size, n, {{"", "ns", Better::lower}}, {}, std::move(floor)};
}

}  // namespace

std::vector<Experiment> floors(const Scale& scale) {
  std::vector<Experiment> list{probe("floor: cache line", 0, 2, cacheLineProbe()),
                               probe("floor: futex wake", 0, 2, futexProbe(Placement::coreEach)),
                               probe("floor: futex wake, one core", 0, 2, futexProbe(Placement::oneCore))};
  for (const std::size_t size :
       {std::size_t{64}, std::size_t{1} << 10, std::size_t{64} << 10, std::size_t{1} << 20}) {
    if (!scale.quick || size == 64 << 10) list.push_back(probe("floor: memcpy", size, 1, copyProbe(size)));
  }
  return list;
}

}  // namespace ronde::bench
