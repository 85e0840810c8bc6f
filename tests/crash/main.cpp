#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <ronde/inspect.hpp>
#include <thread>

#include "tests/crash/campaign.hpp"

namespace {

using namespace ronde::crash;

/// A string instruction single-steps once per iteration: copies must use vector registers instead. Read by the C
/// library at start only, hence the new start.
void restartWithoutStringInstructions(char** argv) {
  constexpr const char* kName = "GLIBC_TUNABLES";
  constexpr const char* kValue =
      "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824";
  const char* const now = std::getenv(kName);
  if (now != nullptr && std::string(now) == kValue) return;
  setenv(kName, kValue, 1);
  execv("/proc/self/exe", argv);
}

bool suits(const Scenario& scenario, Mode mode) {
  // The first death of a pair is that of a member in its operation.
  return mode != Mode::twice || (scenario.entry == Entry::member && !scenario.repair);
}

void print(const Row& row) {
  std::printf(
      "%-22s %7llu %7llu%s %7s %8llu %10llu %5llu %7llu %7llu %9.1f  %llu,%llu\n", row.op.c_str(),
      static_cast<unsigned long long>(row.points), static_cast<unsigned long long>(row.steps),
      row.unit == Unit::visible ? "v" : " ", row.stride == 0 ? "random" : std::to_string(row.stride).c_str(),
      static_cast<unsigned long long>(row.distinct), static_cast<unsigned long long>(row.violations),
      static_cast<unsigned long long>(row.hung), static_cast<unsigned long long>(row.evicted),
      static_cast<unsigned long long>(row.fenced), row.worstDelayMs,
      static_cast<unsigned long long>(row.worstAt.first), static_cast<unsigned long long>(row.worstAt.second));
  std::fflush(stdout);
}

nlohmann::json toJson(const Row& row, Mode mode) {
  return {{"op", row.op},
          {"mode", toString(mode)},
          {"points", row.points},
          {"steps", row.steps},
          {"unit", toString(row.unit)},
          {"stride", row.stride},
          {"distinct", row.distinct},
          {"hung", row.hung},
          {"violations", row.violations},
          {"worst_delay_ms", row.worstDelayMs},
          {"limit_ms", row.limitMs},
          {"fenced", row.fenced},
          {"evicted", row.evicted}};
}

}  // namespace

int main(int argc, char** argv) {
  restartWithoutStringInstructions(argv);
  Settings settings;
  std::vector<std::string> ops;
  std::vector<std::uint64_t> at;
  std::string json;
  bool list = false;
  bool full = false;
  bool quick = false;
  std::uint64_t stride = 0;
  std::uint64_t offset = 0;
  double seconds = 0;
  settings.seed = std::random_device{}();

  CLI::App app{
      "Kills (or stops) a member of a group after each instruction of an operation, and checks that the others "
      "go on and that nothing is broken."};
  app.add_option("--op", ops, "only this operation (repeatable)");
  app.add_flag("--list", list, "list the operations");
  app.add_option("--mode", settings.mode,
                 "kill; stop: SIGSTOP, eviction, SIGCONT; double: a second death in the repair of the first")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Mode>{{"kill", Mode::kill}, {"stop", Mode::stop}, {"double", Mode::twice}}));
  auto* const strideOption =
      app.add_option("--stride", stride, "every N-th instruction; default: what the time allows")
          ->check(CLI::PositiveNumber);
  auto* const offsetOption = app.add_option("--offset", offset, "the first one; default: from the seed");
  app.add_flag(
      "--full", full,
      "every instruction (double: every pair); of operations above 20,000 instructions every visible one");
  app.add_option("--unit", settings.unit,
                 "what is counted: instructions; visible: system calls and instructions that change the segment "
                 "(between two of these a death leaves the same)")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, Unit>{{"instructions", Unit::instructions}, {"visible", Unit::visible}}));
  app.add_flag("--quick", quick, "a sixth of the time");
  auto* const secondsOption =
      app.add_option("--seconds", seconds, "about so long in all, at least three points of each operation")
          ->check(CLI::PositiveNumber);
  app.add_option("--at", at, "only after this many instructions (double: and that many of the repair)")
      ->expected(1, 2);
  app.add_option("--json", json, "write the rows to this file");
  app.add_option("--seed", settings.seed, "of offsets and samples");
  app.add_option("--jobs", settings.jobs, "points at once; default: one per core, in mode stop two");
  CLI11_PARSE(app, argc, argv);

  if (list) {
    for (const Scenario& scenario : scenarios()) std::printf("%-22s %s\n", scenario.name, scenario.text);
    return 0;
  }
  std::vector<const Scenario*> chosen;
  for (const Scenario& scenario : scenarios()) {
    const bool isNamed = std::find(ops.begin(), ops.end(), scenario.name) != ops.end();
    if (suits(scenario, settings.mode) && (ops.empty() || isNamed)) chosen.push_back(&scenario);
  }
  if (chosen.empty() || (!ops.empty() && chosen.size() != ops.size())) {
    std::fprintf(stderr, "crash-explorer: no such operation in this mode; see --list\n");
    return 1;
  }

  if (*strideOption) settings.stride = stride;
  if (*offsetOption) settings.offset = offset;
  settings.full = full;
  if (full) settings.stride = 1;
  if (!at.empty()) settings.at = Point{at[0], at.size() > 1 ? at[1] : 0};
  if (settings.jobs == 0) {
    settings.jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    if (settings.mode == Mode::stop) settings.jobs *= 2;
  }
  if (settings.at) settings.jobs = 1;
  double total = settings.mode == Mode::kill ? 200 : settings.mode == Mode::stop ? 150 : 50;
  if (quick) total /= 6;
  if (*secondsOption) total = seconds;
  settings.seconds = total / static_cast<double>(chosen.size());

  // The watchdog of a point interrupts its waits, as does who wants us to end.
  struct sigaction interrupt {};
  interrupt.sa_handler = [](int signal) { interrupted = interrupted || signal != SIGALRM; };
  for (const int signal : {SIGALRM, SIGINT, SIGTERM}) sigaction(signal, &interrupt, nullptr);

  setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("mode %s, seed %llu\n%-22s %7s %7s  %7s %8s %10s %5s %7s %7s %9s  at\n", toString(settings.mode),
              static_cast<unsigned long long>(settings.seed), "operation", "points", "steps", "stride", "distinct",
              "violations", "hung", "evicted", "fenced", "worst ms");
  nlohmann::json rows = nlohmann::json::array();
  bool isFine = true;
  for (const Scenario* scenario : chosen) {
    const Row row = exploreOperation(*scenario, settings);
    if (interrupted) break;
    print(row);
    rows.push_back(toJson(row, settings.mode));
    isFine = isFine && row.points > 0 && row.violations == 0 && row.hung == 0;
  }
  ronde::removeStaleSegments();
  if (!json.empty()) std::ofstream(json) << rows.dump(1) << '\n';
  return isFine && !interrupted ? 0 : 1;
}
