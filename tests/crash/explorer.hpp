#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/crash/crew.hpp"

namespace ronde::crash {

/// Where a point lies: "v" is taken after `first` instructions; with a repairer, that after `second`.
struct Point {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

/// What is counted to a point.
enum class Unit : std::uint8_t {
  instructions,
  /// System calls, and instructions after which the segment is another: between two of these a process may be
  /// anywhere, and its death leaves the same.
  visible,
};

/// What one point showed. Plain, since workers hand it over in shared memory.
struct Finding {
  enum class Kind : std::uint8_t { none, fine, violation, hung };
  Kind kind = Kind::none;
  bool ended = false;       ///< the operation ended before the point
  bool fenced = false;      ///< mode stop: the survivors killed it, since it held a lock
  bool evicted = false;     ///< mode stop: they excluded it
  std::uint64_t steps = 0;  ///< made in the operation that was enumerated
  std::uint64_t firstSteps = 0;
  std::uint64_t fingerprint = 0;
  double worstCallMs = 0;
  char text[1200] = {};
};

/// Explores one point with a fresh group: processes for the survivors, "v" and, if needed, "w". The text says what
/// was wrong and where the victims stood; with `mayTell` the latter also if all is well.
[[nodiscard]] Finding explore(const Scenario& scenario, Mode mode, Unit unit, Point point,
                              const std::string& group, Board& board, bool mayTell = false);

}  // namespace ronde::crash
