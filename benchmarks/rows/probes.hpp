#pragma once

#include <cstddef>

#include "benchmarks/harness/experiment.hpp"
#include "benchmarks/harness/processes.hpp"

namespace ronde::bench {

// What the hardware and the kernel need at least. They run among the contenders of a row, since a hypervisor moves
// its guests, and a floor of minutes ago may be another machine's.

/// c: a cache line from one core to the other, half a round trip of a word that both poll.
[[nodiscard]] Contender cacheLineProbe();
/// Half a round trip of two processes that wake each other with futexes.
[[nodiscard]] Contender futexProbe(Placement placement);
/// Copying `size` bytes within shared memory that is in this core's cache; nanoseconds.
[[nodiscard]] Contender copyProbe(std::size_t size);
/// The same as copies a second.
[[nodiscard]] Contender copyRateProbe(std::size_t size);

}  // namespace ronde::bench
