#include "tests/crash/soak/director.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <new>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/crash/look.hpp"
#include "tests/crash/processes.hpp"
#include "tests/crash/shared_memory.hpp"
#include "tests/crash/soak/worker.hpp"

namespace ronde::crash {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = 30s;
constexpr auto kSilenceLimit = 400ms;
constexpr int kFreshGroups = 5;
constexpr int kStreams = 10;  ///< of ours and of each of those, in turns; even: both begin as often

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

long residentBytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  long all = 0;
  long resident = 0;
  long shared = 0;
  file >> all >> resident >> shared;
  return (resident - shared) * sysconf(_SC_PAGESIZE);
}

long descriptors(pid_t pid) {
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
  return std::distance(begin(all), end(all));
}

struct Footprint {
  long memory = 0;
  long descriptors = 0;
  long segment = 0;
};

class Director {
 public:
  explicit Director(const SoakSettings& settings, const std::string& group = "soak-" + std::to_string(getpid()))
      : settings_(settings),
        random_(settings.seed),
        ledger_(new (sharedMemory<Ledger>(1)) Ledger),
        group_(group),
        workers_(static_cast<std::size_t>(settings.workers)) {}
  Director(const Director&) = delete;
  Director& operator=(const Director&) = delete;
  ~Director() {
    for (const Child& worker : workers_) {
      if (worker.pid > 0) endProcess(worker.pid);
    }
    munmap(ledger_, sizeof(Ledger));
  }

  SoakResult run() {
    begin();
    result_.rateBefore = compareWithFreshGroups();
    goTo(Phase::work);
    const auto start = Clock::now();
    spinners_.forkSpinners(settings_.spinners);
    const auto warmUpUntil = start + 1s;
    bool isWarm = false;
    Footprint first;
    auto nextCheckpoint = start + 1s;
    while (!ledger_->isViolated && !isOver(start)) {
      if (Clock::now() >= nextCheckpoint) {
        checkpoint();
        if (!isWarm && Clock::now() >= warmUpUntil) first = footprint();
        isWarm = isWarm || Clock::now() >= warmUpUntil;
        nextCheckpoint = Clock::now() + 2s;
      }
      disturb();
    }
    checkpoint();
    if (!isWarm) first = footprint();
    const Footprint last = footprint();
    countSlots();
    spinners_.signalAll(SIGSTOP);
    result_.rateAfter = compareWithFreshGroups();
    end();
    result_.violation = ledger_->violation.data();
    if (result_.violation.empty() && Look::at(group_)) result_.violation = "the segment was not removed";
    result_.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    result_.operations = ledger_->operations;
    result_.delivered = ledger_->delivered;
    result_.sections = ledger_->sections;
    result_.meetings = ledger_->meetings;
    result_.refusals = ledger_->refusals;
    result_.evictions = ledger_->evictions;
    result_.memoryGrowth = last.memory - first.memory;
    result_.descriptorGrowth = last.descriptors - first.descriptors;
    result_.segmentGrowth = last.segment - first.segment;
    return result_;
  }

 private:
  void begin() {
    for (int i = 0; i < settings_.workers; ++i) fork(i);
    checkpoint();  // all have joined
  }
  void end() {
    goTo(Phase::pause);  // nobody is about to return from a leave
    goTo(Phase::end);
    awaitEnd();
  }

  struct Child {
    pid_t pid = 0;
    bool isStopped = false;
    bool wasStopped = false;  ///< so it may have been fenced
    Clock::time_point wakeAt{};
  };

  [[nodiscard]] std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  [[nodiscard]] bool isOver(Clock::time_point start) const {
    if (settings_.kills > 0 && result_.kills >= settings_.kills) return true;
    return settings_.minutes > 0 && Clock::now() - start > std::chrono::duration<double>(settings_.minutes * 60);
  }

  void fork(int number) {
    Options options;
    options.group = group_;
    options.expected = kAnchors;
    options.capacity = 4 * settings_.workers;  // the dead keep theirs until their last broadcast was taken
    options.mailboxBytes = 2 * 1024 * 1024;
    options.heartbeatInterval = 50ms;
    options.heartbeatTimeout = settings_.onlyKills ? std::chrono::minutes(1) : kSilenceLimit;
    options.timeout = 10s;
    options.registrationTimeout = 20s;
    const std::uint64_t seed = random_();
    ledger_->reached[static_cast<std::size_t>(number)] = Phase::work;
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("fork failed");
    if (pid == 0) runWorker(number, seed, options, *ledger_);
    workers_[static_cast<std::size_t>(number)] = {pid, false, false, {}};
  }

  /// One random fault, or none; then a while.
  void disturb() {
    std::this_thread::sleep_for(std::chrono::microseconds(below(settings_.onlyKills ? 1500 : 20'000)));
    const int number =
        kAnchors + static_cast<int>(below(static_cast<std::uint64_t>(settings_.workers - kAnchors)));
    Child& victim = workers_[static_cast<std::size_t>(number)];
    const std::uint64_t fault = below(16);
    if (settings_.onlyKills || fault == 0) {
      endProcess(victim.pid);
      ++result_.kills;
      fork(number);
    } else if (!victim.isStopped && fault < 3) {
      kill(victim.pid, SIGSTOP);
      ++result_.stops;
      // Some are woken before they are noticed, some just then, some long after.
      victim = {victim.pid, true, true,
                Clock::now() + std::chrono::milliseconds(below(3 * kSilenceLimit.count()))};
    }
    if (below(100) == 0) {
      isStarving_ = !isStarving_;
      spinners_.signalAll(isStarving_ ? SIGCONT : SIGSTOP);
    }
    tend(false);
  }

  /// Wakes up who has slept enough, and replaces who is gone.
  void tend(bool wakeAll) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      Child& worker = workers_[i];
      if (worker.isStopped && (wakeAll || Clock::now() >= worker.wakeAt)) {
        kill(worker.pid, SIGCONT);
        worker.isStopped = false;
      }
      int status = 0;
      if (waitpid(worker.pid, &status, WNOHANG) != worker.pid) continue;
      const bool wasFenced = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && worker.wasStopped;
      if (!wasFenced) {
        ledger_->violate("worker " + std::to_string(i) + " ended by itself, wait status " +
                         std::to_string(status));
      }
      ++result_.fenced;
      fork(static_cast<int>(i));
    }
  }

  /// All workers are in `phase`, which they stay in.
  void goTo(Phase phase) {
    ledger_->phase = phase;
    const auto until = Clock::now() + kPatience;
    while (phase != Phase::end && !ledger_->isViolated) {
      tend(true);
      const auto have = [&](std::size_t i) { return ledger_->reached[i] == phase; };
      std::size_t there = 0;
      for (std::size_t i = 0; i < workers_.size(); ++i) there += have(i) ? 1 : 0;
      if (there == workers_.size()) return;
      if (Clock::now() > until) ledger_->violate("a worker is stuck: it never came to a checkpoint");
      std::this_thread::sleep_for(200us);
    }
  }

  void await(const char* what, const std::function<bool(const Look&)>& ready) {
    const auto look = Look::at(group_);
    if (!look) return ledger_->violate("the group's segment is gone");
    const auto until = Clock::now() + kPatience;
    while (!ledger_->isViolated && !ready(*look)) {
      if (Clock::now() > until) ledger_->violate(what);
      tend(true);
      std::this_thread::sleep_for(200us);
    }
  }

  /// Everybody stops, and what they know is compared.
  void checkpoint() {
    ++result_.checkpoints;
    goTo(Phase::pause);
    await("a clean-up never came to its end", [](const Look& look) { return look.isSettled(); });
    countLocksOfTheDead();
    goTo(Phase::touch);
    std::string held;
    await("a lock is held for good", [&held](const Look& look) { return (held = look.heldLock()).empty(); });
    if (!held.empty()) std::fprintf(stderr, "soak: held: %s\n", held.c_str());
    await("mail is never taken", [this](const Look& look) {
      for (int i = 0; i < settings_.workers; ++i) {
        if (look.pending(("soak" + std::to_string(i)).c_str()) != 0) return false;
      }
      return true;
    });
    goTo(Phase::report);
    if (!ledger_->isViolated) compareReports();
    goTo(Phase::work);
  }

  /// While all pause, the holder of a lock is most likely dead (or delivers what a dead one has broadcast).
  void countLocksOfTheDead() {
    const auto look = Look::at(group_);
    if (look && !look->heldLock().empty()) ++result_.locksOfTheDead;
  }

  /// P5: what one got of a departed member's broadcasts, all got who were there.
  void compareReports() {
    for (int x = 0; x < settings_.workers; ++x) {
      const Report& one = ledger_->reports[static_cast<std::size_t>(x)];
      for (int y = 0; y < settings_.workers; ++y) {
        const Report& other = ledger_->reports[static_cast<std::size_t>(y)];
        if (x == y || one.view != other.view) continue;
        result_.views = std::max(result_.views, one.view);
        for (std::uint32_t i = 0; i < one.count; ++i) {
          const LastBroadcast& last = one.last[i];
          if (other.joinedView > last.view) continue;
          const auto end = other.last.begin() + other.count;
          const auto same = std::find_if(other.last.begin(), end, [&](const LastBroadcast& each) {
            return each.sender == last.sender && each.stamp >= last.stamp;
          });
          if (same == end) {
            ledger_->violate("soak" + std::to_string(x) + " got a broadcast of slot " +
                             std::to_string(last.sender.slot) + " before it departed, soak" + std::to_string(y) +
                             " did not");
          }
        }
      }
    }
  }

  Footprint footprint() {
    goTo(Phase::pause);
    Footprint print;
    for (int i = 0; i < kAnchors; ++i) {
      print.memory += residentBytes(workers_[static_cast<std::size_t>(i)].pid);
      print.descriptors += descriptors(workers_[static_cast<std::size_t>(i)].pid);
    }
    struct stat file {};
    const std::string path = "/proc/" + std::to_string(workers_[0].pid) + "/map_files";
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      const auto target = std::filesystem::read_symlink(entry.path(), error).string();
      if (target.find(group_) != std::string::npos && stat(target.c_str(), &file) == 0) {
        print.segment = file.st_blocks * 512;
      }
    }
    goTo(Phase::work);
    return print;
  }

  double stream() {
    ledger_->streamRate = 0;
    goTo(Phase::stream);
    const double rate = ledger_->streamRate;
    if (rate == 0) ledger_->violate("a stream of the comparison did not come through");
    goTo(Phase::pause);
    return rate;
  }

  /// Our rate of messages beside that of groups that have seen nothing yet, in turns, since what else goes on on
  /// the machine changes it by far more from one minute to the next. One group differs from another from the
  /// start, by up to 14 %, most likely by where their pages lie. So it takes several of them; and of ours, what it
  /// was before the faults.
  double compareWithFreshGroups() {
    goTo(Phase::pause);
    std::vector<double> ratios;
    for (int group = 0; group < kFreshGroups && !ledger_->isViolated; ++group) {
      Director fresh(settings_, group_ + "-fresh");
      fresh.begin();
      fresh.goTo(Phase::pause);
      for (int i = 0; i < kStreams && !ledger_->isViolated && !fresh.ledger_->isViolated; ++i) {
        const bool oursFirst = i % 2 == 0;
        const double before = oursFirst ? stream() : fresh.stream();
        const double after = oursFirst ? fresh.stream() : stream();
        ratios.push_back(oursFirst ? before / after : after / before);
      }
      fresh.end();
      if (fresh.ledger_->isViolated)
        ledger_->violate("in a fresh group: " + std::string(fresh.ledger_->violation.data()));
    }
    return ledger_->isViolated ? 0 : median(std::move(ratios));
  }

  void countSlots() {
    const auto look = Look::at(group_);
    if (!look) return;
    const auto until = Clock::now() + kPatience;
    auto taken = look->taken();
    for (; taken > settings_.workers && Clock::now() < until; taken = look->taken())
      std::this_thread::sleep_for(1ms);
    if (taken <= settings_.workers) return;
    result_.leakedSlots = static_cast<std::uint64_t>(taken - settings_.workers);
    std::fprintf(stderr, "soak: %d active slots; former members': %s\n", look->active(), look->departed().c_str());
  }

  void awaitEnd() {
    const auto until = Clock::now() + kPatience;
    for (Child& worker : workers_) {
      while (waitpid(worker.pid, nullptr, WNOHANG) != worker.pid) {
        if (Clock::now() > until) {
          ledger_->violate("a worker did not end");
          return;
        }
        std::this_thread::sleep_for(1ms);
      }
      worker.pid = 0;
    }
  }

  const SoakSettings settings_;
  std::mt19937_64 random_;
  Ledger* ledger_;
  std::string group_;
  std::vector<Child> workers_;
  Processes spinners_;
  bool isStarving_ = true;
  SoakResult result_;
};

}  // namespace

SoakResult soak(const SoakSettings& settings) { return Director(settings).run(); }

}  // namespace ronde::crash
