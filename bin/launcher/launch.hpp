#pragma once

#include <poll.h>

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "bin/launcher/group_watch.hpp"
#include "bin/launcher/keeper.hpp"
#include "bin/launcher/process.hpp"
#include "bin/launcher/reporter.hpp"
#include "bin/launcher/settings.hpp"
#include "bin/launcher/spawn.hpp"

namespace ronde::tool {

/// One run: starts the processes, passes their output on, carries out the fault script, and sees to it that
/// everything has ended when it returns. One thread, one loop over descriptors and times.
class Launch {
 public:
  explicit Launch(const LaunchSettings& settings);
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;

  /// Returns the exit code.
  [[nodiscard]] int run();

 private:
  using Clock = std::chrono::steady_clock;

  // Starting.
  [[nodiscard]] bool isGroupFree();
  void startDue();
  void start(const std::string& name, const std::vector<std::string>& program, bool late);
  [[nodiscard]] const std::vector<std::string>& programOf(const std::string& name) const;
  [[nodiscard]] bool isArriving() const;

  // What happens when its time has come.
  void onTime();
  void look();
  void checkArrivals(Clock::time_point now);
  void carryOut(const Fault& fault);
  void resumeForgotten();
  [[nodiscard]] Clock::time_point nextTime() const;

  // What happens to descriptors.
  void waitForNews();
  void readOutput(Process& process);
  void readStream(Process& process, Stream& stream, Reporter::From from);
  void onSignals();
  void reap();
  void onEnd(Process& process, int status);
  void pauseAll();

  // Stopping.
  /// Ends the run with `exitCode` unless it is ending for another reason already: asks all to stop, kills them
  /// later.
  void beginStop(int exitCode, int signal);
  void killAll();
  void killStrays();
  void finish();

  [[nodiscard]] bool isStopping() const { return stopBy_.has_value(); }
  [[nodiscard]] int running() const;
  [[nodiscard]] Process* findRunning(const std::string& name);

  const LaunchSettings& settings_;
  const std::int64_t startNs_;
  const Clock::time_point started_;
  Reporter reporter_;
  Keeper keeper_;
  GroupWatch watch_;
  Descriptor signals_;
  std::deque<Process> processes_;  ///< never moved: others point at them
  std::vector<pollfd> polled_;

  std::size_t nextFounder_ = 0;
  std::size_t nextFault_ = 0;
  Clock::time_point nextLook_{};
  std::optional<Clock::time_point> complete_;  ///< when the founding cohort was
  std::optional<Clock::time_point> stopBy_;    ///< when what still runs is killed
  std::optional<int> exitCode_;                ///< once it is decided
  int interrupts_ = 0;
};

}  // namespace ronde::tool
