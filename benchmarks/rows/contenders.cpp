#include "benchmarks/rows/contenders.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include "benchmarks/harness/shared.hpp"
#include "benchmarks/patterns/patterns.hpp"
#include "benchmarks/peers/mpi.hpp"

namespace ronde::bench {
namespace {

/// Waits until all have come. Yields: not part of what is measured.
void meet(std::atomic<int>& count, int all) {
  ++count;
  while (count < all) std::this_thread::yield();
}

Pattern patternOf(const std::string& name) {
  return std::find_if(std::begin(kPatterns), std::end(kPatterns), [&](const auto& p) { return p.name == name; })
      ->run;
}

Figures runForked(const TransportKind& kind, Pattern pattern, const Setting& setting, Placement placement,
                  const Work& work) {
  const auto transport = kind.open(setting);
  const Shared<std::atomic<int>> joined(0);
  const Shared<std::atomic<int>> done(0);
  const auto texts = runProcesses(setting.n, placement, kRunLimit, [&](int self) {
    const auto endpoint = transport->join(self);
    meet(*joined, setting.n);
    const std::string text = encode(pattern(*endpoint, self, work));
    // Not every library delivers what a closing socket still holds.
    meet(*done, setting.n);
    return text;
  });
  std::vector<Figures> parts;
  std::transform(texts.begin(), texts.end(), std::back_inserter(parts), decode);
  return combine(parts);
}

}  // namespace

std::vector<Contender> contendersFor(const std::string& pattern, const Setting& setting, Placement placement) {
  std::vector<Contender> list;
  for (const TransportKind& kind : transports()) {
    if (!kind.supports(pattern, setting)) continue;
    list.push_back(
        {kind.name, [=, &kind](double seconds) {
           return runForked(kind, patternOf(pattern), setting, placement, {setting.n, setting.size, seconds});
         }});
  }
  for (const Mpi& mpi : mpis()) {
    if (placement == Placement::oneCore || !supports(mpi, setting)) continue;
    list.push_back({mpi.name, [=, &mpi](double seconds) {
                      return runMpi(mpi, pattern, {setting.n, setting.size, seconds}, kRunLimit);
                    }});
  }
  return list;
}

Experiment experimentOf(std::string row, const std::string& pattern, const Setting& setting, Placement placement,
                        Metric metric) {
  return {std::move(row), setting.size, setting.n, {std::move(metric)}, contendersFor(pattern, setting, placement),
          std::nullopt};
}

}  // namespace ronde::bench
