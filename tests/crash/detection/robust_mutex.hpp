#pragma once

#include <cstddef>
#include <vector>

namespace ronde::crash {

/// For comparison: milliseconds from SIGKILL, to a process that has touched so many bytes and holds a
/// POSIX robust mutex, until another one that waits for it has it (EOWNERDEAD). `cores`: one for the victim and
/// one for the waiter; empty: as it comes. Nothing of ronde is in it.
/// @throws std::runtime_error
std::vector<double> timeRobustMutex(std::size_t touchedBytes, const std::vector<int>& cores, int rounds);

}  // namespace ronde::crash
