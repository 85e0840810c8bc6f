#pragma once

#include <functional>

#include "tests/corruption/tally.hpp"

namespace ronde::corruption {

/// Runs `job(k)` for k = 0 … count - 1, each in a process of its own, at once, and sums up what came of them; with
/// a single one in this process. A job that ends without its figures counts as a crash.
Tally runJobs(unsigned count, const std::function<Tally(unsigned number)>& job);

}  // namespace ronde::corruption
