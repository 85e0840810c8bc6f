#pragma once

#include <cstddef>
#include <vector>

namespace ronde::crash {

/// For comparison: milliseconds from SIGKILL, to a process that has touched so many bytes and holds `waiters`
/// POSIX robust mutexes, until each of as many others, one at each mutex, has its own (EOWNERDEAD). Nothing of
/// ronde is in it, and nobody is bound to a core.
/// @throws std::runtime_error
std::vector<double> timeRobustMutexes(std::size_t touchedBytes, int waiters, int rounds);

}  // namespace ronde::crash
