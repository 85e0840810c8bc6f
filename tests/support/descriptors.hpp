#pragma once

#include <filesystem>
#include <iterator>

namespace ronde::testing {

/// How many descriptors this process has open.
inline long openDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all)) - 1;  // without the one that looks
}

}  // namespace ronde::testing
