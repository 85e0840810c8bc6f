#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/crash/explorer.hpp"

namespace ronde::crash {

struct Settings {
  Mode mode = Mode::kill;
  std::optional<std::uint64_t> stride;  ///< nothing: as many points as the time allows
  std::optional<std::uint64_t> offset;  ///< of the first point; nothing: from the seed
  std::optional<Point> at;              ///< this one point only
  Unit unit = Unit::instructions;
  bool full = false;  ///< every point; of a long operation (the constructors) every visible one
  std::uint64_t seed = 0;
  int jobs = 0;
  double seconds = 0;  ///< for each operation
};

struct Row {
  std::string op;
  std::uint64_t points = 0;
  Unit unit = Unit::instructions;
  std::uint64_t steps = 0;     ///< of the operation, in that unit
  std::uint64_t stride = 0;    ///< 0: sampled at random
  std::uint64_t distinct = 0;  ///< different states of the segment at the moment of death
  std::uint64_t violations = 0;
  std::uint64_t hung = 0;
  std::uint64_t fenced = 0;
  std::uint64_t evicted = 0;
  double worstDelayMs = 0;
  double limitMs = 0;  ///< mode stop: after so long somebody who is stopped is no obstacle any more
  Point worstAt;
};

/// Set by a signal handler: everything shall end.
inline std::atomic<bool> interrupted{false};

/// Explores one operation with several workers at once; prints each violation and how to run it alone again.
[[nodiscard]] Row exploreOperation(const Scenario& scenario, const Settings& settings);

[[nodiscard]] const char* toString(Mode mode);
[[nodiscard]] const char* toString(Unit unit);

}  // namespace ronde::crash
