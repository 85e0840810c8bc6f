#include "tests/corruption/parts.hpp"

#include "tests/corruption/jobs.hpp"

namespace ronde::corruption {
namespace {

using Clock = std::chrono::steady_clock;

/// True until the time is over, or as many words were written as wanted.
bool goesOn(Clock::time_point start, double seconds, std::uint64_t wanted, std::uint64_t done) {
  if (wanted > 0) return done < wanted;
  return std::chrono::duration<double>(Clock::now() - start).count() < seconds;
}

/// With several jobs each has a core. Not where words are written all the time: the writer needs another one.
CampaignOptions optionsOf(unsigned job, Mode mode, const CampaignOptions& options, const Plan& plan) {
  CampaignOptions own = options;
  own.seed += std::uint64_t{job} << 40;
  if (plan.jobs > 1 && mode != Mode::live) own.core = static_cast<int>(job);
  return own;
}

std::uint64_t shareOf(std::uint64_t wanted, const Plan& plan) { return (wanted + plan.jobs - 1) / plan.jobs; }

}  // namespace

Tally runControls(const ControlData& data, const CampaignOptions& options, std::uint64_t trials) {
  return runCampaign(data, options, [&](std::uint64_t trial, const Tally&, Damage& damage) {
    damage = {};
    return trial < trials;
  });
}

Figures flipBits(const ControlData& data, const CampaignOptions& options, const Plan& plan) {
  const std::uint64_t bits = 8 * data.bytes();
  if (plan.everyBit) {
    const Tally tally = runJobs(plan.jobs, [&](unsigned job) {
      const std::uint64_t step = plan.shards * plan.jobs;
      const std::uint64_t first = plan.shard - 1 + plan.shards * job;
      return runCampaign(data, optionsOf(job, Mode::bit, options, plan),
                         [&](std::uint64_t trial, const Tally&, Damage& damage) {
                           damage = {Mode::bit, first + trial * step};
                           return damage.number < bits;
                         });
    });
    std::string what = "every bit of the control data";
    if (plan.shards > 1) what += ", part " + std::to_string(plan.shard) + " of " + std::to_string(plan.shards);
    return {what, tally, (bits - plan.shard) / plan.shards + 1, 0};
  }
  // Each structure as often as any other, so that the token is met as often as the many records.
  const Tally tally = runJobs(plan.jobs, [&](unsigned job) {
    const CampaignOptions own = optionsOf(job, Mode::bit, options, plan);
    const auto start = Clock::now();
    testing::Random random(own.seed);
    return runCampaign(data, own, [&](std::uint64_t trial, const Tally&, Damage& damage) {
      damage = {Mode::bit, data.bitIn(data.names()[trial % data.names().size()], random)};
      return goesOn(start, plan.seconds, 0, 0);
    });
  });
  return {"bits of the control data", tally, 0, 0};
}

Figures scribble(Mode mode, const ControlData& data, const CampaignOptions& options, const Plan& plan) {
  const std::uint64_t wanted = mode == Mode::garbage ? plan.garbage : plan.live;
  const Tally tally = runJobs(plan.jobs, [&](unsigned job) {
    const CampaignOptions own = optionsOf(job, mode, options, plan);
    const auto start = Clock::now();
    return runCampaign(data, own, [&](std::uint64_t trial, const Tally& soFar, Damage& damage) {
      damage = {mode, own.seed + trial};
      return goesOn(start, plan.seconds, shareOf(wanted, plan), soFar.mutations);
    });
  });
  return {mode == Mode::garbage ? "random words over the control data" : "the same while members work", tally, 0,
          wanted};
}

}  // namespace ronde::corruption
