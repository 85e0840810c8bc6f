#pragma once

#include <chrono>
#include <functional>

#include "tests/corruption/damage.hpp"
#include "tests/corruption/tally.hpp"

namespace ronde::corruption {

/// For the tests of the watcher itself.
enum class Pretence { none, crash, hang };

struct CampaignOptions {
  std::uint64_t seed = 0;
  std::chrono::seconds patience{40};  ///< a trial that takes longer hangs
  Pretence pretence = Pretence::none;
  bool verbose = false;  ///< one line per trial
  /// The members get one core, all the same: half the time of a trial, because none of them spins, and no core has
  /// to be woken for another. -1: they run where they like.
  int core = -1;
};

/// Runs the trials that `next` names (until it says nothing) in a process of their own, one after the other, and
/// goes on with another process where one crashes or hangs.
Tally runCampaign(const ControlData& data, const CampaignOptions& options,
                  const std::function<bool(std::uint64_t trial, const Tally& soFar, Damage& damage)>& next);

}  // namespace ronde::corruption
