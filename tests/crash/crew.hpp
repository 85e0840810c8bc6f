#pragma once

#include "tests/crash/scenario.hpp"

namespace ronde::crash {

/// One point to explore.
struct Plan {
  const Scenario& scenario;
  Mode mode;
  std::string group;

  /// A fourth member, "w", repairs what the death of "v" left, and dies (or is stopped) in that.
  [[nodiscard]] bool hasRepairer() const { return scenario.repair || mode == Mode::twice; }
  [[nodiscard]] const char* stepped() const { return hasRepairer() ? "w" : "v"; }
  [[nodiscard]] int expected() const {
    if (scenario.entry == Entry::late) return 2;
    return hasRepairer() ? 4 : 3;
  }
  /// Of the member `name`; small, so that a point costs little.
  [[nodiscard]] Options options(const char* name) const;
};

/// The survivors of one point, in a process of their own: two members, each in its thread, and a newcomer that
/// joins when they have gone on. Writes what they find wrong to the board and ends the process.
[[noreturn]] void runCrew(const Plan& plan, Board& board);

}  // namespace ronde::crash
