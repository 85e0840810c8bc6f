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
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <ronde/inspect.hpp>
#include <ronde/ronde.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/crash/detection/robust_mutex.hpp"
#include "tests/crash/detection/setting.hpp"
#include "tests/crash/distribution.hpp"
#include "tests/crash/look.hpp"
#include "tests/crash/processes.hpp"
#include "tests/crash/shared_memory.hpp"

namespace {

using ronde::crash::await;
using ronde::crash::distribution;
using ronde::crash::Incident;
using ronde::crash::kMaxSurvivors;
using ronde::crash::kPatience;
using ronde::crash::millisecondsBetween;
using ronde::crash::Notices;
using ronde::crash::nowNs;
using ronde::crash::Placement;
using ronde::crash::placeOn;
using ronde::crash::Processes;
using ronde::crash::sharedMemory;
using ronde::crash::signalAndAwait;
using ronde::crash::timeRobustMutexes;
using ronde::crash::touchMemory;

using namespace std::chrono_literals;

constexpr std::size_t kLarge = std::size_t{1} << 30;

/// What the director and the members share: anonymous memory.
struct Board {
  std::atomic<int> ready{0};  ///< survivors that have joined
  std::atomic<bool> isVictimReady{false};
  std::array<std::atomic<bool>, kMaxSurvivors> knowsVictim{};  ///< survivor i had a view with the victim
  Notices notices{};                                           ///< and then one without it
  std::atomic<int> unexpected{0};                              ///< departures that nobody caused
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
  ~Detection() { munmap(board_, sizeof(Board)); }
  Detection(const Detection&) = delete;
  Detection& operator=(const Detection&) = delete;

  /// Milliseconds from the signal to the last survivor's view, `rounds` times.
  std::vector<double> measureKills(int rounds) {
    std::vector<double> times;
    for (int round = 0; round < rounds; ++round) {
      const pid_t victim = joinVictim();
      std::this_thread::sleep_for(5ms);
      const Incident kill = signalAndAwait(victim, SIGKILL, board_->notices, survivors_);
      times.push_back(millisecondsBetween(kill.signalled, kill.allKnew));
      processes_.end(victim);
    }
    return times;
  }

  struct Silences {
    std::vector<double> fromHeartbeat;  ///< the victim's last one, by its stamp
    std::vector<double> fromStop;
  };
  /// The stops are spread over the interval between two heartbeats.
  Silences measureStops(int rounds) {
    const std::chrono::nanoseconds interval = options("", 1).heartbeatInterval;
    Silences silences;
    for (int round = 0; round < rounds; ++round) {
      const pid_t victim = joinVictim();
      const auto phase = interval * (2 * round + 1) / (2 * rounds);
      std::this_thread::sleep_for(2 * interval + phase);
      const Incident stop = signalAndAwait(victim, SIGSTOP, board_->notices, survivors_);
      const auto look = ronde::crash::Look::at(group_);
      if (!look) throw std::runtime_error("the segment is gone");
      silences.fromHeartbeat.push_back(millisecondsBetween(look->lastBeatNs(victim), stop.allKnew));
      silences.fromStop.push_back(millisecondsBetween(stop.signalled, stop.allKnew));
      processes_.end(victim);
    }
    return silences;
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

  /// Returns when every survivor has the view with the victim.
  pid_t joinVictim() {
    board_->isVictimReady = false;
    for (auto& knows : board_->knowsVictim) knows = false;
    for (auto& notice : board_->notices) notice = 0;
    const pid_t victim = processes_.fork([this] { beVictim(); });
    await("the victim registers", [this] {
      return board_->isVictimReady &&
             std::all_of(board_->knowsVictim.begin(),
                         board_->knowsVictim.begin() + static_cast<std::ptrdiff_t>(survivors_),
                         [](const auto& knows) { return knows.load(); });
    });
    return victim;
  }

  void survive(std::size_t index) {
    placeOn(placement_.survivors);
    ronde::Communicator me(options("s" + std::to_string(index), static_cast<int>(survivors_)));
    ronde::View view = me.view();
    ++board_->ready;
    for (;;) {
      const bool had = view.idOf("victim") != ronde::kUnknownId;
      const auto next = me.waitView(view.number, 1h);
      if (!next) return;
      view = *next;
      const bool has = view.idOf("victim") != ronde::kUnknownId;
      if (has) board_->knowsVictim[index] = true;
      if (had && !has) board_->notices[index] = nowNs();
      if (view.members.size() < survivors_) ++board_->unexpected;
    }
  }

  void beVictim() {
    placeOn(placement_.victim);
    ronde::Communicator me(options("victim", 1));
    touchMemory(touched_);
    board_->isVictimReady = true;
    for (;;) pause();
  }

  std::size_t survivors_;
  std::size_t touched_;
  Placement placement_;
  std::string group_;
  Board* board_;
  Processes processes_;
};

/// Deaths of a large victim, and the same of a holder of robust mutexes, with the victim on a core of its own and
/// as the kernel places them: in turns, so that what the machine does besides befalls all alike.
void timeLargeKills(nlohmann::json& report, int members, int kills) {
  constexpr int kTurn = 10;
  std::map<std::string, std::vector<double>> times;
  const auto add = [&times](const std::string& what, std::vector<double> more) {
    times[what].insert(times[what].end(), more.begin(), more.end());
  };
  const auto apart = Placement::apart();
  for (int done = 0; done < kills; done += kTurn) {
    const int count = std::min(kTurn, kills - done);
    if (apart) {
      add("kill_1GiB_apart", Detection(members, kLarge, *apart).measureKills(count));
      add("robust_mutexes_1GiB_apart", timeRobustMutexes(members - 1, kLarge, *apart, count));
    }
    add("kill_1GiB", Detection(members, kLarge).measureKills(count));
    add("robust_mutexes_1GiB", timeRobustMutexes(members - 1, kLarge, {}, count));
  }
  for (const auto& [what, each] : times) report[what] = distribution(each);
}

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
      "Times how soon all survivors know of a death or a stop: milliseconds from the signal to the last one's "
      "view; of a stop also from the victim's last heartbeat (\"silence\"). "
      "Deaths with 1 GiB: with the victim on a core of its own, where there are two (\"apart\"), and as the "
      "kernel "
      "places them; beside each, until the last of as many waiters of the victim's robust mutexes knows."};
  app.add_option("--members", members, "processes in the group, the victim included")
      ->check(CLI::Range(2, static_cast<int>(kMaxSurvivors) + 1))
      ->capture_default_str();
  app.add_option("--kills", kills, "of a small victim")->capture_default_str();
  app.add_option("--large-kills", largeKills, "of a victim that has touched 1 GiB, of each kind")
      ->capture_default_str();
  app.add_option("--stops", stops, "SIGSTOP, until the eviction; 2 s each")->capture_default_str();
  app.add_option("--pause", pauseSeconds, "stop the whole group for so many seconds");
  app.add_option("--load-minutes", loadMinutes, "four spinning processes per core for so long");
  app.add_option("--json", json, "writes the result to FILE")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);
  try {
    nlohmann::json report;
    if (kills > 0) report["kill"] = distribution(Detection(members, 0).measureKills(kills));
    timeLargeKills(report, members, largeKills);
    if (stops > 0) {
      const auto silences = Detection(members, 0).measureStops(stops);
      report["silence"] = distribution(silences.fromHeartbeat);
      report["stop"] = distribution(silences.fromStop);
    }
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
