#pragma once

#include <string_view>
#include <vector>

#include "benchmarks/harness/figure.hpp"
#include "benchmarks/patterns/endpoint.hpp"

namespace ronde::bench {

/// What the processes of one run do.
struct Work {
  int n = 2;
  std::size_t size = 0;
  double seconds = 0;
};

/// The part of process `self`, and what it measured; nothing in processes that measure nothing. The same code for
/// every transport, in forked processes and under mpirun.
using Pattern = Figures (*)(Endpoint& endpoint, int self, const Work& work);

Figures oneWay(Endpoint& endpoint, int self, const Work& work);
Figures fanIn(Endpoint& endpoint, int self, const Work& work);   ///< 1 … n-1 to 0
Figures fanOut(Endpoint& endpoint, int self, const Work& work);  ///< 0 to 1 … n-1 in turn
Figures rendezvous(Endpoint& endpoint, int self, const Work& work);
Figures broadcastSync(Endpoint& endpoint, int self, const Work& work);
Figures barrier(Endpoint& endpoint, int self, const Work& work);

struct NamedPattern {
  std::string_view name;
  Pattern run;
};
inline constexpr NamedPattern kPatterns[] = {{"one_way", oneWay},          {"fan_in", fanIn},
                                             {"fan_out", fanOut},          {"rendezvous", rendezvous},
                                             {"broadcast", broadcastSync}, {"barrier", barrier}};

/// One figure from those of all processes: the only one, or the sum of several rates.
[[nodiscard]] Figures combine(const std::vector<Figures>& parts);

}  // namespace ronde::bench
