#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/corruption/board.hpp"
#include "tests/corruption/damage.hpp"

namespace ronde::corruption {

/// For the tests of the watcher itself.
enum class Pretence { none, crash, hang };

struct CampaignOptions {
  std::uint64_t seed = 0;
  std::chrono::seconds patience{40};  ///< a trial that takes longer hangs
  Pretence pretence = Pretence::none;
  bool verbose = false;  ///< one line per trial
};

/// What came of the trials of one mode.
struct Tally {
  std::uint64_t trials = 0;
  std::array<std::uint64_t, kVerdicts> verdicts{};
  std::map<std::string, std::array<std::uint64_t, kVerdicts>> byRegion;  ///< mode bit
  std::uint64_t mutations = 0;  ///< words or bits written; a bit that is flipped back counts twice
  std::uint64_t lasting = 0;    ///< of them, those that were not taken back
  std::uint64_t longestOverrunMs = 0;
  std::uint64_t notFoundedAgain = 0;
  std::uint64_t repeated = 0;
  std::vector<std::string> remarks;  ///< of crashes and hangs: how to run them again
  double seconds = 0;

  [[nodiscard]] std::uint64_t of(Verdict verdict) const { return verdicts[static_cast<std::size_t>(verdict)]; }
  [[nodiscard]] bool isClean() const {
    return of(Verdict::crash) == 0 && of(Verdict::hang) == 0 && notFoundedAgain == 0;
  }
};

/// Runs the trials that `next` names (until it says nothing) in a process of their own, one after the other, and
/// goes on with another process where one crashes or hangs.
Tally runCampaign(const ControlData& data, const CampaignOptions& options,
                  const std::function<bool(std::uint64_t trial, const Tally& soFar, Damage& damage)>& next);

}  // namespace ronde::corruption
