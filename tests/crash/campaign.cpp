#include "tests/crash/campaign.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <limits>
#include <new>
#include <random>
#include <stdexcept>
#include <unordered_set>

#include "tests/crash/shared_memory.hpp"

namespace ronde::crash {
namespace {

/// Of each operation, however slow the machine is.
constexpr std::size_t kLeastPoints = 3;
constexpr std::size_t kMaxPoints = 400'000;
/// Runs differ a little (spinning, wake-ups), so one that ends early is not the end of all.
constexpr int kEndsEnough = 3;
/// Each point of an operation of n instructions costs n/2 steps: n * n/2 in all, days for a constructor.
constexpr std::uint64_t kLongOperation = 20'000;
constexpr std::chrono::milliseconds kCourtesy{500};

constexpr std::array<const char*, 4> kVerdicts{"?", "ok", "VIOLATION", "HUNG"};

struct Progress {
  std::atomic<std::size_t> next{0};
  std::atomic<int> ends{0};
};

std::string groupName() {
  static int count = 0;
  return "crash-" + std::to_string(getpid()) + "-" + std::to_string(count++);
}

std::uint64_t mixed(std::uint64_t seed, std::uint64_t number) {
  std::seed_seq words{seed, seed >> 32, number, number >> 32};
  return std::mt19937_64(words)();
}

/// The points of one operation: number i lies where?
struct Grid {
  Unit unit = Unit::instructions;
  bool sampled = false;  ///< pairs at random
  std::uint64_t offset = 0;
  std::uint64_t stride = 1;
  std::uint64_t firsts = 1;  ///< instructions of the first death's operation (a pair's), or 1
  std::uint64_t seconds = 1;
  std::uint64_t seed = 0;
  std::size_t points = 0;  ///< 0: until the operation ends
  /// Seconds after which no further point is begun: the plan's estimate comes from two points, and a machine may
  /// become slower. Never in a run that must be complete.
  double limit = std::numeric_limits<double>::infinity();

  [[nodiscard]] Point at(std::uint64_t i, bool stepsSecond) const {
    if (sampled) return {mixed(seed, 2 * i) % firsts, mixed(seed, 2 * i + 1) % seconds};
    if (firsts > 1) {
      const std::uint64_t perFirst = (seconds + stride - 1) / stride;
      return {offset + i / perFirst * stride, i % perFirst * stride};
    }
    return stepsSecond ? Point{0, offset + i * stride} : Point{offset + i * stride, 0};
  }
};

double measured(const std::function<Finding()>& run, Finding& finding) {
  const auto start = std::chrono::steady_clock::now();
  finding = run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Grid plan(const Scenario& scenario, const Settings& settings, Board& board, std::uint64_t& length) {
  Grid grid;
  grid.unit = settings.unit;
  if (settings.at) {
    grid.points = 1;
    return grid;
  }
  const bool pairs = settings.mode == Mode::twice;
  Finding whole;
  Finding none;
  const auto pointAt = [&](std::uint64_t steps) {
    return scenario.repair ? Point{0, steps} : Point{steps, pairs ? steps : 0};
  };
  // The first run also fills the page cache and the like.
  const auto tryAt = [&](std::uint64_t steps, Finding& finding) {
    return measured(
        [&] { return explore(scenario, settings.mode, grid.unit, pointAt(steps), groupName(), board); }, finding);
  };
  double longest = tryAt(UINT64_MAX, whole);
  const double shortest = tryAt(0, none);
  if (settings.full && !pairs && !scenario.repair && whole.steps > kLongOperation) {
    grid.unit = Unit::visible;
    longest = tryAt(UINT64_MAX, whole);
  }
  length = whole.steps;
  const double affordable = settings.seconds * settings.jobs / ((longest + shortest) / 2);
  if (!settings.stride && !settings.full) grid.limit = 2 * settings.seconds;
  if (pairs) {
    grid.firsts = whole.firstSteps + 1;
    grid.seconds = whole.steps + 1;
    grid.seed = mixed(settings.seed, std::hash<std::string>{}(scenario.name));
    grid.sampled = !settings.stride;
    grid.stride = settings.stride.value_or(1);
    grid.points = grid.sampled ? static_cast<std::size_t>(std::max<double>(kLeastPoints, affordable))
                               : (grid.firsts / grid.stride + 1) * (grid.seconds / grid.stride + 1);
    return grid;
  }
  const auto fitting =
      static_cast<std::uint64_t>(static_cast<double>(length) / std::max<double>(kLeastPoints, affordable)) + 1;
  grid.stride = settings.stride.value_or(fitting);
  grid.offset = settings.offset.value_or(settings.seed % grid.stride);
  return grid;
}

void work(const Scenario& scenario, const Settings& settings, const Grid& grid, Board& board, Progress& progress,
          Finding* findings) {
  const std::size_t limit = std::min(kMaxPoints, grid.points == 0 ? kMaxPoints : grid.points);
  const auto start = std::chrono::steady_clock::now();
  while (!interrupted && (progress.ends < kEndsEnough || grid.points != 0)) {
    const std::size_t i = progress.next.fetch_add(1);
    if (i >= limit) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (i >= kLeastPoints && elapsed.count() > grid.limit) return;
    const Point point = settings.at ? *settings.at : grid.at(i, scenario.repair);
    findings[i] = explore(scenario, settings.mode, grid.unit, point, groupName(), board, settings.at.has_value());
    if (findings[i].ended) progress.ends.fetch_add(1);
    if (findings[i].text[0] == '\0') continue;
    std::printf(
        "%s: %s, mode %s, at %llu,%llu (seed %llu)\n      %s\n      again: tests/crash-explorer --op %s --mode %s "
        "--at %llu %llu --unit %s\n",
        kVerdicts[static_cast<std::size_t>(findings[i].kind)], scenario.name, toString(settings.mode),
        static_cast<unsigned long long>(point.first), static_cast<unsigned long long>(point.second),
        static_cast<unsigned long long>(settings.seed), findings[i].text, scenario.name, toString(settings.mode),
        static_cast<unsigned long long>(point.first), static_cast<unsigned long long>(point.second),
        toString(grid.unit));
    std::fflush(stdout);
  }
}

}  // namespace

const char* toString(Mode mode) {
  switch (mode) {
    case Mode::kill: return "kill";
    case Mode::stop: return "stop";
    case Mode::twice: return "double";
  }
  return "?";
}

const char* toString(Unit unit) { return unit == Unit::visible ? "visible" : "instructions"; }

Row exploreOperation(const Scenario& scenario, const Settings& settings) {
  Row row;
  row.op = scenario.name;
  if (settings.mode == Mode::stop) {
    // A stopped creator is waited for first (Segment::joinOrCreate).
    const auto limit = Plan{scenario, settings.mode, {}}.options("v").heartbeatTimeout;
    row.limitMs =
        static_cast<double>(scenario.entry == Entry::alone ? std::max(limit, kCourtesy).count() : limit.count());
  }
  auto* const boards = sharedMemory<Board>(static_cast<std::size_t>(settings.jobs));
  auto* const progress = new (sharedMemory<Progress>(1)) Progress;
  auto* const findings = sharedMemory<Finding>(kMaxPoints);

  const Grid grid = plan(scenario, settings, boards[0], row.steps);
  row.stride = grid.sampled ? 0 : grid.stride;
  row.unit = grid.unit;
  std::vector<pid_t> workers;
  for (int job = 0; job < settings.jobs; ++job) {
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      work(scenario, settings, grid, boards[job], *progress, findings);
      _exit(0);
    }
    workers.push_back(pid);
  }
  for (const pid_t worker : workers) {
    int status = 0;
    while (waitpid(worker, &status, 0) != worker) {
      for (const pid_t each : workers) kill(each, SIGKILL);  // interrupted
    }
    if (status != 0) ++row.violations;  // the explorer's own failure
  }
  std::unordered_set<std::uint64_t> states;
  const std::size_t begun = std::min(kMaxPoints, progress->next.load());
  for (std::size_t i = 0; i < begun; ++i) {
    const Finding& finding = findings[i];
    if (finding.kind == Finding::Kind::none) continue;
    ++row.points;
    row.steps = std::max(row.steps, finding.steps);
    states.insert(finding.fingerprint);
    row.violations += finding.kind == Finding::Kind::violation ? 1 : 0;
    row.hung += finding.kind == Finding::Kind::hung ? 1 : 0;
    row.fenced += finding.fenced ? 1 : 0;
    row.evicted += finding.evicted ? 1 : 0;
    if (finding.worstCallMs > row.worstDelayMs) {
      row.worstDelayMs = finding.worstCallMs;
      row.worstAt = settings.at ? *settings.at : grid.at(i, scenario.repair);
    }
  }
  row.distinct = states.size();
  munmap(findings, kMaxPoints * sizeof(Finding));
  munmap(progress, sizeof(Progress));
  munmap(boards, static_cast<std::size_t>(settings.jobs) * sizeof(Board));
  return row;
}

}  // namespace ronde::crash
