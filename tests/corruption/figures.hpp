#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/corruption/tally.hpp"

namespace ronde::corruption {

/// What came of one part of a run, and what the part was to do.
struct Figures {
  std::string what;
  Tally tally;
  std::uint64_t trialsWanted = 0;   ///< exactly so many
  std::uint64_t changesWanted = 0;  ///< at least so many

  [[nodiscard]] bool pass() const {
    return tally.isClean() && (trialsWanted == 0 || tally.trials == trialsWanted) &&
           tally.mutations >= changesWanted;
  }
};

/// A row of tests/crash-report.
[[nodiscard]] nlohmann::json rowOf(const Figures& figures);

void printHead();
void print(const char* title, const Tally& tally);
/// The bits by the structure they lie in.
void printRegions(const Tally& tally);

}  // namespace ronde::corruption
