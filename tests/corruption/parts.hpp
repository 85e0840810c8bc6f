#pragma once

#include "tests/corruption/campaign.hpp"
#include "tests/corruption/figures.hpp"

namespace ronde::corruption {

/// What a run is to do.
struct Plan {
  bool everyBit = false;
  std::uint64_t shard = 1;  ///< of `shards`: every bit whose number leaves shard - 1 as its remainder
  std::uint64_t shards = 1;
  std::uint64_t garbage = 0;  ///< words
  std::uint64_t live = 0;
  double seconds = 60;  ///< per part, where no number is given
  unsigned jobs = 1;    ///< processes at once, each with groups of its own
};

/// `trials` trials without damage: if they do not work, the others say nothing.
Tally runControls(const ControlData& data, const CampaignOptions& options, std::uint64_t trials);
/// One bit per trial: every one of the plan's shard, or as many random ones as fit into its seconds.
Figures flipBits(const ControlData& data, const CampaignOptions& options, const Plan& plan);
/// Random words, once per trial (Mode::garbage), or as long as a trial lasts (Mode::live).
Figures scribble(Mode mode, const ControlData& data, const CampaignOptions& options, const Plan& plan);

}  // namespace ronde::corruption
