// How long after a member's death (or stop) every survivor has the view without it, and whether anybody is taken
// for silent who is not.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <new>
#include <nlohmann/json.hpp>
#include <optional>
#include <ronde/inspect.hpp>
#include <ronde/ronde.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "tests/crash/cores.hpp"
#include "tests/crash/detection/robust_mutex.hpp"
#include "tests/crash/detection/setting.hpp"
#include "tests/crash/distribution.hpp"
#include "tests/crash/processes.hpp"
#include "tests/crash/shared_memory.hpp"

namespace {

using ronde::crash::await;
using ronde::crash::distribution;
using ronde::crash::kPatience;
using ronde::crash::nowNs;
using ronde::crash::permittedCores;
using ronde::crash::pinTo;
using ronde::crash::Processes;
using ronde::crash::sharedMemory;
using ronde::crash::timeRobustMutexes;

using namespace std::chrono_literals;

constexpr std::size_t kMaxSurvivors = 31;
constexpr std::size_t kLarge = std::size_t{1} << 30;

/// What the director and the members share: anonymous memory.
struct Board {
  std::atomic<int> ready{0};  ///< members that are in the view
  std::atomic<bool> ending{false};
  std::array<std::atomic<std::int64_t>, kMaxSurvivors>
      seenAt{};                    ///< when survivor i had a view without the victim
  std::atomic<int> unexpected{0};  ///< departures that nobody caused
};

/// The cores that victim and survivors are bound to; none: the kernel places them.
struct Placement {
  std::vector<int> victim;
  std::vector<int> survivors;

  /// The victim on one, the survivors on the others. None where there is only one.
  static std::optional<Placement> apart() {
    const std::vector<int> cores = permittedCores();
    if (cores.size() < 2) return std::nullopt;
    return Placement{{cores.front()}, {cores.begin() + 1, cores.end()}};
  }
};

class Detection {
 public:
  Detection(int members, std::size_t touchedBytes, Placement placement = {})
      : survivors_(static_cast<std::size_t>(members - 1)),
        touched_(touchedBytes),
        placement_(std::move(placement)),
        group_("detection-" + std::to_string(getpid())),
        board_(new (sharedMemory<Board>(1)) Board) {
    for (std::size_t i = 0; i < survivors_; ++i) processes_.fork([this, i] { survive(i); });
    await("the survivors register", [this] { return board_->ready == static_cast<int>(survivors_); });
  }

  /// Milliseconds from the signal to each survivor's view, `rounds` times.
  std::vector<double> measure(int signal, int rounds) {
    std::vector<double> delays;
    for (int round = 0; round < rounds; ++round) {
      for (auto& seen : board_->seenAt) seen = 0;
      const pid_t victim = processes_.fork([this] { beVictim(); });
      await("the victim registers", [this] { return board_->ready == static_cast<int>(survivors_) + 1; });
      std::this_thread::sleep_for(5ms);
      const std::int64_t from = nowNs();
      kill(victim, signal);
      await("a survivor sees it", [this] {
        return std::all_of(board_->seenAt.begin(),
                           board_->seenAt.begin() + static_cast<std::ptrdiff_t>(survivors_),
                           [](const auto& seen) { return seen != 0; });
      });
      for (std::size_t i = 0; i < survivors_; ++i) {
        delays.push_back(static_cast<double>(board_->seenAt[i] - from) / 1e6);
      }
      processes_.end(victim);
      board_->ready = static_cast<int>(survivors_);
    }
    return delays;
  }

  /// Departures that nobody caused, over a while.
  int unexpectedAfterPause(std::chrono::seconds pause) {
    processes_.signalAll(SIGSTOP);
    std::this_thread::sleep_for(pause);
    processes_.signalAll(SIGCONT);
    std::this_thread::sleep_for(4s);
    return board_->unexpected;
  }
  int unexpectedUnderLoad(std::chrono::duration<double> time, unsigned spinners) {
    Processes load;
    load.forkSpinners(spinners);
    std::this_thread::sleep_for(time);
    return board_->unexpected;
  }

 private:
  [[nodiscard]] ronde::Options options(const std::string& name, int expected) const {
    ronde::Options options;  // with the default interval and limit
    options.group = group_;
    options.name = name;
    options.expected = expected;
    options.registrationTimeout = kPatience;
    return options;
  }

  void survive(std::size_t index) {
    if (!placement_.survivors.empty()) pinTo(placement_.survivors);
    ronde::Communicator me(options("s" + std::to_string(index), static_cast<int>(survivors_)));
    ronde::View view = me.view();
    ++board_->ready;
    for (;;) {
      const bool had = view.idOf("victim") != ronde::kUnknownId;
      const auto next = me.waitView(view.number, 1h);
      if (!next) return;
      view = *next;
      const bool lost = had && view.idOf("victim") == ronde::kUnknownId;
      if (lost) board_->seenAt[index] = nowNs();
      if (view.members.size() < survivors_) ++board_->unexpected;
    }
  }

  void beVictim() {
    if (!placement_.victim.empty()) pinTo(placement_.victim);
    ronde::Communicator me(options("victim", 1));
    std::vector<char> memory(touched_, 1);
    ++board_->ready;
    for (;;) pause();
  }

  std::size_t survivors_;
  std::size_t touched_;
  Placement placement_;
  std::string group_;
  Board* board_;
  Processes processes_;
};

}  // namespace

int main(int argc, char** argv) {
  int members = 8;
  int kills = 200;
  int largeKills = 10;
  int stops = 3;
  int pauseSeconds = 0;
  double loadMinutes = 0;
  std::string json;
  CLI::App app{
      "Times how soon the survivors know of a death or a stop: milliseconds from the signal to each one's view. "
      "Deaths with 1 GiB are timed with the victim on a core apart (where there are two), placed by the kernel, "
      "and, beside that, until as many waiters of robust mutexes know."};
  app.add_option("--members", members, "processes in the group, the victim included")
      ->check(CLI::Range(2, 32))
      ->capture_default_str();
  app.add_option("--kills", kills, "of a small victim")->capture_default_str();
  app.add_option("--large-kills", largeKills, "of a victim that has touched 1 GiB, each of the three ways")
      ->capture_default_str();
  app.add_option("--stops", stops, "SIGSTOP, until the eviction; 2 s each")->capture_default_str();
  app.add_option("--pause", pauseSeconds, "stop the whole group for so many seconds");
  app.add_option("--load-minutes", loadMinutes, "four spinning processes per core for so long");
  app.add_option("--json", json, "writes the result to FILE")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);
  try {
    nlohmann::json report;
    if (kills > 0) report["kill"] = distribution(Detection(members, 0).measure(SIGKILL, kills));
    if (largeKills > 0) {
      const auto apart = Placement::apart();
      report["kill_1GiB_apart"] =
          apart ? distribution(Detection(members, kLarge, *apart).measure(SIGKILL, largeKills)) : nullptr;
      report["kill_1GiB"] = distribution(Detection(members, kLarge).measure(SIGKILL, largeKills));
      report["robust_mutexes_1GiB"] = distribution(timeRobustMutexes(kLarge, members - 1, largeKills));
    }
    if (stops > 0) report["stop"] = distribution(Detection(members, 0).measure(SIGSTOP, stops));
    if (pauseSeconds > 0) {
      report["unexpected_after_pause"] =
          Detection(members, 0).unexpectedAfterPause(std::chrono::seconds(pauseSeconds));
    }
    if (loadMinutes > 0) {
      report["unexpected_under_load"] =
          Detection(members, 0)
              .unexpectedUnderLoad(std::chrono::duration<double>(60 * loadMinutes),
                                   4 * std::max(1U, std::thread::hardware_concurrency()));
    }
    ronde::removeStaleSegments();
    std::puts(report.dump(1).c_str());
    if (!json.empty()) std::ofstream(json) << report.dump(1) << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "detection: %s\n", error.what());
    return 1;
  }
}
