#pragma once

#include <cstdint>
#include <ronde/options.hpp>

#include "tests/crash/soak/ledger.hpp"

namespace ronde::crash {

/// One process of the soak: joins the group and runs random operations, from `seed`, until the ledger says end;
/// joins again when it is evicted. Whatever it finds wrong goes into the ledger. Does not return.
[[noreturn]] void runWorker(int number, std::uint64_t seed, const Options& options, Ledger& ledger);

}  // namespace ronde::crash
