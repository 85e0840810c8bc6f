#pragma once

#include <cstddef>
#include <vector>

#include "tests/crash/detection/setting.hpp"

namespace ronde::crash {

/// For comparison, with nothing of ronde in it: milliseconds from SIGKILL, to a process that has touched so many
/// bytes and holds `waiters` POSIX robust mutexes, until the last of as many others, one at each mutex, has its
/// own (EOWNERDEAD).
/// @throws std::runtime_error
std::vector<double> timeRobustMutexes(int waiters, std::size_t touchedBytes, const Placement& placement,
                                      int rounds);

}  // namespace ronde::crash
