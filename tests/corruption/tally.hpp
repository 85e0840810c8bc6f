#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/corruption/board.hpp"

namespace ronde::corruption {

/// What came of the trials of one mode.
struct Tally {
  using Verdicts = std::array<std::uint64_t, kVerdicts>;

  std::uint64_t trials = 0;
  Verdicts verdicts{};
  std::map<std::string, Verdicts> byRegion;  ///< mode bit
  std::uint64_t mutations = 0;               ///< words or bits written; a bit that is flipped back counts twice
  std::uint64_t lasting = 0;                 ///< of them, those that were not taken back
  std::uint64_t longestOverrunMs = 0;
  std::uint64_t notFoundedAgain = 0;
  std::uint64_t repeated = 0;
  std::vector<std::string> remarks;  ///< of crashes and hangs: how to run them again
  double seconds = 0;

  [[nodiscard]] std::uint64_t of(Verdict verdict) const { return verdicts[static_cast<std::size_t>(verdict)]; }
  [[nodiscard]] bool isClean() const {
    return of(Verdict::crash) == 0 && of(Verdict::hang) == 0 && notFoundedAgain == 0;
  }
  /// Adds what came of other trials that ran at the same time.
  void add(const Tally& other);

  /// To be sent to another process.
  [[nodiscard]] std::string toText() const;
  /// @throws std::exception if `text` is no whole tally.
  [[nodiscard]] static Tally fromText(const std::string& text);
};

}  // namespace ronde::corruption
