#include "benchmarks/rows/contenders.hpp"
#include "benchmarks/rows/probes.hpp"
#include "benchmarks/rows/rows.hpp"

namespace ronde::bench {
namespace {

const Metric kTime{"", "ns", Better::lower};

/// Processes that have a core each spin; more of them wait as their library does.
Waiting waitingFor(int n) { return placementFor(n) == Placement::coreEach ? Waiting::spin : Waiting::mixed; }

Experiment broadcast(int n, std::size_t size) {
  return experimentOf("broadcast, all have it", "broadcast", {n, size, waitingFor(n)}, placementFor(n), kTime);
}

}  // namespace

std::vector<Experiment> synchronousRows(const Scale& scale) {
  std::vector<Experiment> list;
  const auto rendezvousSizes = scale.quick ? std::vector<std::size_t>{64} : std::vector<std::size_t>{64, 64 << 10};
  for (const std::size_t size : rendezvousSizes) {
    list.push_back(experimentOf("rendezvous", "rendezvous", {2, size, Waiting::spin}, Placement::coreEach, kTime));
    list.back().floor = size < 4096 ? cacheLineProbe() : copyProbe(size);
  }
  const std::vector<int> groups = scale.quick ? std::vector{2, 4, 8} : std::vector{2, 3, 4, 8, 16, 32};
  for (const int n : groups) {
    list.push_back(broadcast(n, 64));
    if (n == 2) list.back().floor = cacheLineProbe();
  }
  // The second is what the first is compared with: a broadcast is to cost no more than a few sends.
  list.push_back(broadcast(8, 64 << 10));
  list.push_back(experimentOf("rendezvous, default waiting", "rendezvous", {2, 64 << 10, Waiting::mixed},
                              Placement::coreEach, kTime));
  return list;
}

std::vector<Experiment> barrierRows(const Scale& scale) {
  const std::vector<int> groups = scale.quick ? std::vector{2, 4, 8} : std::vector{2, 3, 4, 8, 16, 32, 64};
  std::vector<Experiment> list;
  for (const int n : groups) {
    list.push_back(experimentOf("barrier", "barrier", {n, 0, waitingFor(n)}, placementFor(n), kTime));
    if (n == 2) list.back().floor = cacheLineProbe();
  }
  return list;
}

}  // namespace ronde::bench
