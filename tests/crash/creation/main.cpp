// Processes that create the same group at the same moment, some of which are killed meanwhile: the others must
// meet in one segment, soon, and leave nothing behind.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <ronde/inspect.hpp>
#include <ronde/ronde.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tests/crash/distribution.hpp"
#include "tests/crash/processes.hpp"
#include "tests/crash/shared_memory.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kContenders = 4;
constexpr auto kPatience = 10s;
/// One race in so many is without a kill, the first ones, too: how long joining takes, so that kills fall into it.
constexpr std::uint64_t kRacesPerUndisturbed = 5;
constexpr std::uint64_t kFirstUndisturbed = 5;

std::int64_t nowNs() { return Clock::now().time_since_epoch().count(); }

/// What the director and the contenders of one race share.
struct Board {
  std::atomic<std::uint32_t> ready;
  std::atomic<bool> go;
  std::atomic<bool> leave;
  std::atomic<std::uint32_t> survivors;              ///< bit i: contender i is not killed; 0 until that is decided
  std::array<std::atomic<bool>, kContenders> began;  ///< is in the constructor, or was
  std::array<std::atomic<std::int64_t>, kContenders> joinedAt;
  std::array<std::atomic<bool>, kContenders> met;  ///< its view has all survivors and nobody else
};

std::string nameOf(std::size_t contender) { return "c" + std::to_string(contender); }

bool isOfAll(const ronde::View& view, std::uint32_t survivors) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < kContenders; ++i) {
    if ((survivors >> i & 1) == 0) continue;
    if (view.idOf(nameOf(i)) == ronde::kUnknownId) return false;
    ++count;
  }
  return view.members.size() == count;
}

void contend(Board& board, const std::string& group, std::size_t self) {
  ronde::Options options;
  options.group = group;
  options.name = nameOf(self);
  options.registrationTimeout = kPatience;
  ++board.ready;
  while (!board.go) sched_yield();
  board.began[self] = true;
  ronde::Communicator me(options);
  board.joinedAt[self] = nowNs();
  while (board.survivors == 0) std::this_thread::sleep_for(20us);
  ronde::View view = me.view();
  while (!isOfAll(view, board.survivors)) {
    auto next = me.waitView(view.number, kPatience);
    if (!next) throw std::runtime_error("contender: waiting for the others: " + next.outcome().text());
    view = *next;
  }
  board.met[self] = true;
  while (!board.leave) std::this_thread::sleep_for(20us);
  static_cast<void>(me.stop());
}

struct Races {
  std::uint64_t count = 0;
  std::uint64_t kills = 0;
  std::uint64_t killedWhileJoining = 0;
  // Milliseconds to the last survivor's joining,
  std::vector<double> recoveries;   ///< from the last kill, where that came before
  std::vector<double> disturbed;    ///< from the start, where one or two of the four were killed
  std::vector<double> undisturbed;  ///< from the start, where nobody was
  std::string violation;
};

class Director {
 public:
  explicit Director(std::uint64_t seed) : random_(seed), board_(ronde::crash::sharedMemory<Board>(1)) {}

  void race(Races& races, bool isDisturbed) {
    const std::string group = "creation-" + std::to_string(getpid());
    board_->go = board_->leave = false;
    board_->ready = board_->survivors = 0;
    for (std::size_t i = 0; i < kContenders; ++i) {
      board_->began[i] = false;
      board_->joinedAt[i] = 0;
      board_->met[i] = false;
    }
    ronde::crash::Processes processes;
    std::array<pid_t, kContenders> pids{};
    for (std::size_t i = 0; i < kContenders; ++i) {
      pids[i] = processes.fork([&, i] { contend(*board_, group, i); });
    }
    std::array<std::size_t, kContenders> order{};
    for (std::size_t i = 0; i < kContenders; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    const std::size_t kills = isDisturbed ? 1 + random_() % 2 : 0;
    std::uint32_t survivors = (1U << kContenders) - 1;
    for (const auto until = Clock::now() + kPatience; board_->ready < kContenders;) {
      if (Clock::now() > until) throw std::runtime_error("a contender did not start");
      std::this_thread::sleep_for(20us);
    }
    const std::int64_t startedAt = nowNs();
    board_->go = true;
    std::int64_t lastKill = 0;
    for (std::size_t k = 0; k < kills; ++k) {
      const auto pause = std::chrono::nanoseconds(random_() % static_cast<std::uint64_t>(spreadNs(races)) / kills);
      for (const auto until = Clock::now() + pause; Clock::now() < until;) sched_yield();
      const std::size_t victim = order[k];
      lastKill = nowNs();
      kill(pids[victim], SIGKILL);
      survivors &= ~(1U << victim);
      ++races.kills;
      races.killedWhileJoining += board_->began[victim] && board_->joinedAt[victim] == 0 ? 1 : 0;
    }
    board_->survivors = survivors;
    std::int64_t lastJoined = 0;
    const auto until = Clock::now() + kPatience;
    for (std::size_t i = 0; i < kContenders; ++i) {
      if ((survivors >> i & 1) == 0) continue;
      while (!board_->met[i]) {
        if (Clock::now() > until) {
          races.violation = nameOf(i) + (board_->joinedAt[i] == 0 ? " did not join" : " did not meet the others");
          return;
        }
        std::this_thread::sleep_for(20us);
      }
      lastJoined = std::max<std::int64_t>(lastJoined, board_->joinedAt[i]);
    }
    (isDisturbed ? races.disturbed : races.undisturbed).push_back(milliseconds(lastJoined - startedAt));
    if (isDisturbed && lastJoined > lastKill) races.recoveries.push_back(milliseconds(lastJoined - lastKill));
    board_->leave = true;
    for (std::size_t i = 0; i < kContenders; ++i) {
      if ((survivors >> i & 1) == 0) continue;
      siginfo_t end{};
      waitid(P_PID, static_cast<id_t>(pids[i]), &end, WEXITED | WNOWAIT);  // `processes` reaps it
      if (end.si_code != CLD_EXITED || end.si_status != 0) races.violation = nameOf(i) + " did not end well";
    }
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
      if (entry.path().filename().string().ends_with("." + group)) races.violation = "a segment is left";
    }
    races.count += isDisturbed ? 1 : 0;
  }

 private:
  static double milliseconds(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }
  /// Kills come at any moment between the start and when the last one has usually joined.
  static double spreadNs(const Races& races) {
    std::vector<double> times = races.undisturbed;
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return 1e6 * *middle;
  }

  std::mt19937_64 random_;
  Board* board_;
};

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t wanted = 10000;
  std::uint64_t seed = std::random_device{}();
  std::string json;
  CLI::App app{"Four processes create one group at once; one or two of them are killed at a random moment."};
  app.add_option("--races", wanted, "how often")->capture_default_str();
  app.add_option("--seed", seed, "of the moments; for a similar run");
  app.add_option("--json", json, "writes the result to FILE")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);
  std::printf("creation: seed %llu\n", static_cast<unsigned long long>(seed));
  Races races;
  Director director(seed);
  for (std::uint64_t race = 0; races.count < wanted && races.violation.empty(); ++race) {
    director.race(races, race >= kFirstUndisturbed && race % kRacesPerUndisturbed != 0);
  }
  ronde::removeStaleSegments();  // after a violation
  const nlohmann::json report{{"races", races.count},
                              {"kills", races.kills},
                              {"killed_while_joining", races.killedWhileJoining},
                              {"recovery_ms", ronde::crash::distribution(std::move(races.recoveries))},
                              {"disturbed_ms", ronde::crash::distribution(std::move(races.disturbed))},
                              {"undisturbed_ms", ronde::crash::distribution(std::move(races.undisturbed))},
                              {"violation", races.violation},
                              {"seed", seed}};
  std::puts(report.dump(1).c_str());
  if (!json.empty()) std::ofstream(json) << report.dump(1) << '\n';
  return races.violation.empty() ? 0 : 1;
}
