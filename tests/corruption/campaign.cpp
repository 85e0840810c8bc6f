#include "tests/corruption/campaign.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <system_error>

#include "ipc/segment/shm_file.hpp"
#include "tests/corruption/trial.hpp"
#include "tests/support/shared.hpp"

namespace ronde::corruption {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kRemarks = 20;

/// To core number `wanted` of those that we may use, counted round. Where that is not possible, the run takes
/// longer.
void bindTo(int wanted) {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof(all), &all) != 0) return;
  wanted %= CPU_COUNT(&all);
  for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &all) || wanted-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    static_cast<void>(sched_setaffinity(0, sizeof(one), &one));
    return;
  }
}

/// The process that runs trials: told a Damage through one pipe, it answers with a Verdict through the other.
class Worker {
 public:
  Worker(const ControlData& data, const std::string& group, Board& board, const CampaignOptions& options) {
    int orders[2];
    int answers[2];
    if (pipe2(orders, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe2");
    }
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      close(orders[1]);
      close(answers[0]);
      if (options.core >= 0) bindTo(options.core);
      Damage damage;
      while (read(orders[0], &damage, sizeof(damage)) == sizeof(damage)) {
        if (options.pretence == Pretence::crash) std::abort();
        while (options.pretence == Pretence::hang) pause();
        const Verdict verdict = runTrial(group, damage, data, board);
        if (write(answers[1], &verdict, sizeof(verdict)) != sizeof(verdict)) break;
      }
      _exit(0);
    }
    close(orders[0]);
    close(answers[1]);
    orders_ = orders[1];
    answers_ = answers[0];
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    end();
    close(orders_);
    close(answers_);
  }

  void order(const Damage& damage) const {
    // A worker that died meanwhile is found by the answer that does not come.
    static_cast<void>(!write(orders_, &damage, sizeof(damage)));
  }
  /// Waits for at most `limit`. False: nothing yet. Without a verdict: the worker is gone.
  bool answer(std::chrono::milliseconds limit, std::optional<Verdict>& verdict) const {
    pollfd waiting{answers_, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(limit.count())) <= 0) return false;
    Verdict given{};
    if (read(answers_, &given, sizeof(given)) == sizeof(given)) verdict = given;
    return true;
  }
  /// Ends it. How it had ended before, if it had.
  std::string end() {
    if (pid_ < 0) return {};
    ::kill(pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
    return "exit " + std::to_string(WEXITSTATUS(status));
  }

 private:
  pid_t pid_ = -1;
  int orders_ = -1;
  int answers_ = -1;
};

/// Writes while the members work: most of it is taken back at once, so that they get far and meet values that
/// change between two looks.
class LiveWriter {
 public:
  LiveWriter(const std::string& path, const ControlData& data, std::uint64_t seed)
      : segment_(path), data_(data), random_(seed), pause_(random_.below(200)) {}

  void writeForAWhile(Tally& tally) {
    for (int i = 0; i < 50; ++i) {
      if (random_.below(100) < 95) {
        const Region& region = data_.regions()[random_.below(data_.regions().size())];
        const std::size_t at = region.at + random_.below(region.bytes);
        const int bit = static_cast<int>(random_.below(8));
        segment_.flip(at, bit);
        wait();
        segment_.flip(at, bit);
        tally.mutations += 2;
      } else if (random_.oneIn(20)) {
        segment_.scribble(data_, random_);
        ++tally.mutations;
        ++tally.lasting;
      }
      wait();
    }
  }

 private:
  void wait() {
    for (std::uint64_t i = random_.below(1 + pause_); i > 0; --i) __asm__ volatile("" ::: "memory");
  }

  Scribble segment_;
  const ControlData& data_;
  testing::Random random_;
  std::uint64_t pause_;
};

std::string commandFor(const Damage& damage) {
  return std::string("ronde-corruption --again ") + toString(damage.mode) + " " + std::to_string(damage.number);
}

}  // namespace

Tally runCampaign(const ControlData& data, const CampaignOptions& options,
                  const std::function<bool(std::uint64_t, const Tally&, Damage&)>& next) {
  const testing::Shared<Board> board;
  const std::string group = "corruption." + std::to_string(getpid());
  const std::string path = detail::segmentPath(detail::segmentName(group));
  std::signal(SIGPIPE, SIG_IGN);
  Tally tally;
  const auto start = Clock::now();
  std::optional<Worker> worker;
  Damage damage;
  while (next(tally.trials, tally, damage)) {
    if (!worker) worker.emplace(data, group, *board, options);
    worker->order(damage);
    const auto begun = Clock::now();
    std::optional<Verdict> verdict;
    std::optional<LiveWriter> writer;
    std::string end;
    for (;;) {
      const bool isLive = damage.mode == Mode::live && board->isArmed != 0;
      // Mode live: to be there as soon as the members may be disturbed.
      const int waiting = isLive ? 0 : damage.mode == Mode::live ? 1 : 100;
      if (worker->answer(std::chrono::milliseconds(waiting), verdict)) break;
      if (isLive) {
        try {
          if (!writer) writer.emplace(path, data, damage.number);
          writer->writeForAWhile(tally);
        } catch (const std::system_error&) {
          // The members had stopped already.
        }
      }
      if (Clock::now() - begun > options.patience) {
        verdict = Verdict::hang;
        end = "no end after " + std::to_string(options.patience.count()) + " s";
        worker.reset();
        break;
      }
    }
    if (!verdict) {
      verdict = Verdict::crash;
      end = worker->end();
      worker.reset();
    }
    board->isArmed = 0;
    const std::uint64_t changed = board->mutations.exchange(0);
    tally.mutations += changed;
    tally.lasting += changed;
    if (!worker) unlink(path.c_str());
    ++tally.trials;
    ++tally.verdicts[static_cast<std::size_t>(*verdict)];
    if (damage.mode == Mode::bit) {
      const auto region = data.place(damage.number / 8).region;
      ++tally.byRegion[data.regions()[region].name][static_cast<std::size_t>(*verdict)];
    }
    if (options.verbose) {
      std::printf("%s %llu at %s: %u %s\n", toString(damage.mode), static_cast<unsigned long long>(damage.number),
                  board->where, static_cast<unsigned>(*verdict), board->said);
    }
    if ((*verdict == Verdict::crash || *verdict == Verdict::hang)) {
      if (tally.remarks.size() == kRemarks) break;
      tally.remarks.push_back(commandFor(damage) + ": " + (*verdict == Verdict::crash ? "crash" : "hang") + ", " +
                              (end.empty() ? "" : end + ", ") + "changed at " + board->where + ", " + board->said);
    }
    tally.longestOverrunMs = board->longestOverrunMs;
    if (board->notFoundedAgain != tally.notFoundedAgain && tally.remarks.size() < kRemarks) {
      tally.remarks.push_back(commandFor(damage) + ": no group could be founded again, changed at " +
                              board->where + ", " + board->said);
    }
    tally.notFoundedAgain = board->notFoundedAgain;
    tally.repeated = board->repeated;
  }
  tally.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return tally;
}

}  // namespace ronde::corruption
