// What garbage in the segment does to the members (P6). See README.md here.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "tests/corruption/campaign.hpp"
#include "tests/corruption/trial.hpp"
#include "tests/support/private_shm.hpp"

namespace {

using namespace ronde::corruption;
using Clock = std::chrono::steady_clock;

struct Plan {
  bool everyBit = false;
  std::uint64_t garbage = 0;  ///< words
  std::uint64_t live = 0;
  double seconds = 0;  ///< per part, where no number is given
};

/// True until the time is over, or as many words were written as wanted.
bool goesOn(Clock::time_point start, double seconds, std::uint64_t wanted, std::uint64_t done) {
  if (wanted > 0) return done < wanted;
  return std::chrono::duration<double>(Clock::now() - start).count() < seconds;
}

Tally flipBits(const ControlData& data, const CampaignOptions& options, const Plan& plan) {
  if (plan.everyBit) {
    return runCampaign(data, options, [&](std::uint64_t trial, const Tally&, Damage& damage) {
      damage = {Mode::bit, trial};
      return trial < 8 * data.bytes();
    });
  }
  // Each structure as often as any other, so that the token is met as often as the many records.
  const auto start = Clock::now();
  ronde::testing::Random random(options.seed);
  return runCampaign(data, options, [&](std::uint64_t trial, const Tally&, Damage& damage) {
    damage = {Mode::bit, data.bitIn(data.names()[trial % data.names().size()], random)};
    return goesOn(start, plan.seconds, 0, 0);
  });
}

Tally scribble(Mode mode, const ControlData& data, const CampaignOptions& options, const Plan& plan) {
  const auto start = Clock::now();
  const std::uint64_t wanted = mode == Mode::garbage ? plan.garbage : plan.live;
  return runCampaign(data, options, [&](std::uint64_t trial, const Tally& soFar, Damage& damage) {
    damage = {mode, options.seed + trial};
    return goesOn(start, plan.seconds, wanted, mode == Mode::garbage ? 4 * trial : soFar.mutations);
  });
}

nlohmann::json rowOf(const char* what, const Tally& tally) {
  const auto text = std::to_string(tally.trials) + " groups, " + std::to_string(tally.mutations) + " changes (" +
                    std::to_string(tally.lasting) + " lasting): " + std::to_string(tally.of(Verdict::crash)) +
                    " crashes, " + std::to_string(tally.of(Verdict::hang)) + " hangs, " +
                    std::to_string(tally.notFoundedAgain) + " names barred";
  return {{"what", what},
          {"goal", "0 crashes, 0 hangs, 0 names barred"},
          {"measured", text},
          {"pass", tally.isClean()},
          {"trials", tally.trials},
          {"mutations", tally.mutations},
          {"lasting", tally.lasting},
          {"detected", tally.of(Verdict::detected)},
          {"harmless", tally.of(Verdict::harmless)},
          {"lost", tally.of(Verdict::lost)},
          {"altered", tally.of(Verdict::altered)},
          {"crashes", tally.of(Verdict::crash)},
          {"hangs", tally.of(Verdict::hang)},
          {"longest_overrun_ms", tally.longestOverrunMs},
          {"not_founded_again", tally.notFoundedAgain},
          {"seconds", tally.seconds}};
}

void print(const char* what, const Tally& tally) {
  std::printf("%-28s %8llu %9llu | %8llu %8llu %8llu %8llu | %7llu %5llu | %7llu %6llu | %6.0f s\n", what,
              static_cast<unsigned long long>(tally.trials), static_cast<unsigned long long>(tally.mutations),
              static_cast<unsigned long long>(tally.of(Verdict::harmless)),
              static_cast<unsigned long long>(tally.of(Verdict::detected)),
              static_cast<unsigned long long>(tally.of(Verdict::lost)),
              static_cast<unsigned long long>(tally.of(Verdict::altered)),
              static_cast<unsigned long long>(tally.of(Verdict::crash)),
              static_cast<unsigned long long>(tally.of(Verdict::hang)),
              static_cast<unsigned long long>(tally.longestOverrunMs),
              static_cast<unsigned long long>(tally.notFoundedAgain), tally.seconds);
  for (const std::string& remark : tally.remarks) std::printf("  %s\n", remark.c_str());
  std::fflush(stdout);
}

void printRegions(const Tally& tally) {
  std::printf("\n%-20s %8s %8s %8s %8s %8s\n", "bits of", "harmless", "detected", "lost", "altered", "broken");
  for (const auto& [name, verdicts] : tally.byRegion) {
    const auto count = [&, &each = verdicts](Verdict verdict) {
      return static_cast<unsigned long long>(each[static_cast<std::size_t>(verdict)]);
    };
    std::printf("%-20s %8llu %8llu %8llu %8llu %8llu\n", name.c_str(), count(Verdict::harmless),
                count(Verdict::detected), count(Verdict::lost), count(Verdict::altered),
                count(Verdict::crash) + count(Verdict::hang));
  }
}

Mode modeOf(const std::string& name) {
  for (const Mode mode : {Mode::none, Mode::bit, Mode::garbage, Mode::live}) {
    if (name == toString(mode)) return mode;
  }
  throw CLI::ValidationError("--again", "the mode is one of none, bit, garbage, live");
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Damages the control data of a group in use, and classes what its members make of it.");
  Plan plan;
  CampaignOptions options;
  options.seed = std::random_device{}();
  bool quick = false;
  bool regions = false;
  std::string json;
  std::vector<std::string> again;
  int patience = 40;
  app.add_flag("--bits", plan.everyBit, "Flip every bit, one per group, instead of as many as fit into the time");
  app.add_option("--garbage", plan.garbage, "Write at least so many words of garbage");
  app.add_option("--live", plan.live, "Write at least so many words while the members work");
  app.add_option("--seconds", plan.seconds, "Time for each part without a number (default 60)");
  app.add_flag("--quick", quick, "5 seconds for each part");
  app.add_flag("--regions", regions, "Print the bits by the structure they lie in");
  app.add_option("--json", json, "Write the figures to this file");
  app.add_option("--seed", options.seed, "Repeat a run");
  app.add_option("--again", again, "Repeat one trial: MODE NUMBER [TIMES]")->expected(2, 3);
  app.add_option("--patience", patience, "Seconds after which a trial hangs")->check(CLI::Range(1, 3600));
  std::string pretence;
  app.add_option("--pretend", pretence, "Test of the watcher: let the members crash or hang")
      ->check(CLI::IsMember({"crash", "hang"}));
  app.add_flag("--verbose", options.verbose, "One line per trial");
  CLI11_PARSE(app, argc, argv);
  if (plan.seconds <= 0) plan.seconds = quick ? 5 : 60;
  options.patience = std::chrono::seconds(patience);
  if (!pretence.empty()) options.pretence = pretence == "crash" ? Pretence::crash : Pretence::hang;

  // Where this is allowed, nobody else's segments lie about.
  if (const std::string why = ronde::testing::enterPrivateShm(256 << 20); !why.empty()) {
    std::printf("in the common /dev/shm (%s)\n", why.c_str());
  }
  const ControlData data(geometryOfSmallGroup());
  if (!again.empty()) {
    const Damage damage{modeOf(again[0]), std::stoull(again[1])};
    const std::uint64_t times = again.size() > 2 ? std::stoull(again[2]) : 1;
    options.verbose = true;
    const Tally tally = runCampaign(data, options, [&](std::uint64_t trial, const Tally&, Damage& next) {
      next = damage;
      return trial < times;
    });
    print("again", tally);
    return tally.isClean() ? 0 : 1;
  }

  std::printf("seed %llu; %zu bytes of control data\n", static_cast<unsigned long long>(options.seed),
              data.bytes());
  std::printf("%-28s %8s %9s | %8s %8s %8s %8s | %7s %5s | %7s %6s |\n", "", "groups", "changes", "harmless",
              "detected", "lost", "altered", "crashes", "hangs", "late ms", "barred");
  const std::uint64_t controls = quick ? 20 : 100;
  const Tally control = runCampaign(data, options, [&](std::uint64_t trial, const Tally&, Damage& damage) {
    damage = {};
    return trial < controls;
  });
  print("no damage", control);
  const Tally bits = flipBits(data, options, plan);
  print(plan.everyBit ? "every bit" : "bits", bits);
  const Tally garbage = scribble(Mode::garbage, data, options, plan);
  print("garbage", garbage);
  const Tally live = scribble(Mode::live, data, options, plan);
  print("garbage all the time", live);
  if (regions) printRegions(bits);

  if (!json.empty()) {
    nlohmann::json rows = nlohmann::json::array();
    rows.push_back(rowOf(plan.everyBit ? "every bit of the control data" : "bits of the control data", bits));
    rows.push_back(rowOf("random words over the control data", garbage));
    rows.push_back(rowOf("the same while members work", live));
    std::ofstream(json) << rows.dump(1) << '\n';
  }
  // If the undamaged group does not work, the others say nothing.
  const bool meaningful = control.of(Verdict::harmless) * 10 >= control.trials * 9;
  if (!meaningful) std::printf("the trial does not work even without damage\n");
  return meaningful && control.isClean() && bits.isClean() && garbage.isClean() && live.isClean() ? 0 : 1;
}
