// What garbage in the segment does to the members (P6). See README.md here.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <random>

#include "tests/corruption/parts.hpp"
#include "tests/corruption/trial.hpp"
#include "tests/support/private_shm.hpp"

namespace {

using namespace ronde::corruption;

Mode modeOf(const std::string& name) {
  for (const Mode mode : {Mode::none, Mode::bit, Mode::garbage, Mode::live}) {
    if (name == toString(mode)) return mode;
  }
  throw CLI::ValidationError("--again", "the mode is one of none, bit, garbage, live");
}

/// "2/8": the second of eight parts.
void readShard(const std::string& text, Plan& plan) {
  unsigned long long shard = 0;
  unsigned long long shards = 0;
  char rest = 0;
  if (std::sscanf(text.c_str(), "%llu/%llu%c", &shard, &shards, &rest) != 2 || shard < 1 || shard > shards) {
    throw CLI::ValidationError("--shard", "I/N with 1 <= I <= N");
  }
  plan.shard = shard;
  plan.shards = shards;
}

int runAgain(const std::vector<std::string>& again, const ControlData& data, CampaignOptions options) {
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
  std::string shard;
  app.add_option("--shard", shard, "I/N: only every N-th bit, beginning with number I - 1")->needs("--bits");
  app.add_option("--garbage", plan.garbage, "Write at least so many words of garbage");
  app.add_option("--live", plan.live, "Write at least so many words while the members work");
  app.add_option("--seconds", plan.seconds, "Time for each part without a number (default 60)")
      ->check(CLI::PositiveNumber);
  app.add_flag("--quick", quick, "5 seconds for each part")->excludes("--seconds");
  std::string only;
  app.add_option("--only", only, "Do one part only")->check(CLI::IsMember({"bits", "garbage", "live"}));
  app.add_option("--jobs", plan.jobs, "Groups at once; best as many as there are cores")
      ->check(CLI::Range(1, 256));
  app.add_flag("--regions", regions, "Print the bits by the structure they lie in");
  app.add_option("--json", json, "Write the figures to this file");
  app.add_option("--seed", options.seed, "Repeat a run");
  app.add_option("--again", again, "Repeat one trial: MODE NUMBER [TIMES]")->expected(2, 3);
  app.add_option("--patience", patience, "Seconds after which a trial hangs")->check(CLI::Range(1, 3600));
  std::string pretence;
  app.add_option("--pretend", pretence, "Test of the watcher: let the members crash or hang")
      ->check(CLI::IsMember({"crash", "hang"}));
  app.add_flag("--verbose", options.verbose, "One line per trial");
  try {
    app.parse(argc, argv);
    if (!shard.empty()) readShard(shard, plan);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  if (quick) plan.seconds = 5;
  options.patience = std::chrono::seconds(patience);
  if (!pretence.empty()) options.pretence = pretence == "crash" ? Pretence::crash : Pretence::hang;

  // Where this is allowed, nobody else's segments lie about.
  if (const std::string why = ronde::testing::enterPrivateShm(256 << 20); !why.empty()) {
    std::printf("in the common /dev/shm (%s)\n", why.c_str());
  }
  const ControlData data(geometryOfSmallGroup());
  if (!again.empty()) return runAgain(again, data, options);

  std::printf("seed %llu; %zu bytes, %zu bits of control data\n", static_cast<unsigned long long>(options.seed),
              data.bytes(), 8 * data.bytes());
  printHead();
  const Tally control = runControls(data, options, quick ? 20 : 100);
  print("no damage", control);
  bool pass = control.isClean();
  nlohmann::json rows = nlohmann::json::array();
  const auto take = [&](const char* title, const Figures& figures) {
    print(title, figures.tally);
    if (regions && !figures.tally.byRegion.empty()) printRegions(figures.tally);
    rows.push_back(rowOf(figures));
    pass = pass && figures.pass();
  };
  const auto isWanted = [&](const char* part) { return only.empty() || only == part; };
  if (isWanted("bits")) take(plan.everyBit ? "every bit" : "bits", flipBits(data, options, plan));
  if (isWanted("garbage")) take("garbage", scribble(Mode::garbage, data, options, plan));
  if (isWanted("live")) take("garbage all the time", scribble(Mode::live, data, options, plan));
  if (!json.empty()) std::ofstream(json) << rows.dump(1) << '\n';

  const bool meaningful = control.of(Verdict::harmless) * 10 >= control.trials * 9;
  if (!meaningful) std::printf("the trial does not work even without damage\n");
  return meaningful && pass ? 0 : 1;
}
