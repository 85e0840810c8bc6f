#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "bin/launcher/launch.hpp"
#include "bin/launcher/remarks.hpp"

// How a run ends: signals, ended processes, and what is left.
namespace ronde::tool {
namespace {

/// Our children, whether we started them or inherited them.
std::vector<pid_t> childrenOfOurs() {
  const std::string self = std::to_string(getpid());
  std::ifstream file("/proc/" + self + "/task/" + self + "/children");
  std::vector<pid_t> children;
  for (pid_t pid = 0; file >> pid;) children.push_back(pid);
  return children;
}

}  // namespace

void Launch::onSignals() {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) {
      reap();
    } else if (signal == SIGTSTP) {
      pauseAll();
    } else if (++interrupts_ > 1) {
      killAll();
    } else {
      beginStop(128 + signal, signal);
    }
  }
}

void Launch::reap() {
  for (;;) {
    // Left as a zombie at first: until it is reaped its number, and that of its group, belong to nobody else.
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
    const pid_t pid = info.si_pid;
    const auto found = std::find_if(processes_.begin(), processes_.end(),
                                    [&](const Process& one) { return !one.over && one.pid == pid; });
    if (found == processes_.end()) {
      waitpid(pid, nullptr, WNOHANG);  // inherited
      continue;
    }
    kill(-pid, SIGKILL);  // a process is over when its leader is
    look();
    keeper_.forget(pid);
    int status = 0;
    waitpid(pid, &status, 0);
    onEnd(*found, status);
  }
}

void Launch::onEnd(Process& process, int status) {
  process.over = true;
  process.ended = Clock::now();
  process.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  process.exitCode = process.signal != 0 ? 128 + process.signal : WEXITSTATUS(status);
  readOutput(process);
  Fields fields{{"name", process.name}, {"pid", process.pid}, {"exitCode", process.exitCode}};
  if (process.signal != 0) fields["signal"] = process.endText();
  fields["runTime"] = std::chrono::duration<double>(process.ended - process.started).count();
  fields["sent"] = process.sent;
  fields["received"] = process.received;
  reporter_.event(kExit, fields);
  if (isStopping()) return;

  const std::string how = process.title() + " ended with " + process.endText();
  // A short-lived group may have come and gone between two looks; that it was there, its file has told.
  const bool wasThere = watch_.created() > process.segmentsBefore;
  const bool wasCohort = complete_ || (wasThere && !watch_.isVisible());
  int failure = process.exitCode;
  if (!wasCohort || (process.late && !process.joined && !wasThere)) {
    reporter_.error(how + (process.joined
                               ? " before all others had registered in group '" + settings_.group + "'"
                               : " before it had registered in group '" + settings_.group + "'" + kHowToJoin));
    if (failure == 0) failure = kExitNotJoined;
    if (!wasCohort) return beginStop(failure, SIGTERM);
  }
  if (failure == 0 || (settings_.keepGoing && process.killedByScript)) return;
  if (settings_.keepGoing) {
    exitCode_ = exitCode_.value_or(failure);
  } else {
    if (running() > 0) reporter_.error(how + ", stopping the others (--keep-going lets them run)");
    beginStop(failure, SIGTERM);
  }
}

/// Ctrl-Z: our processes are not in the terminal's foreground group, so they are stopped and continued by us.
void Launch::pauseAll() {
  for (const Process& one : processes_) {
    if (!one.over) kill(-one.pid, SIGSTOP);
  }
  reporter_.flush();
  raise(SIGSTOP);
  for (const Process& one : processes_) {
    if (!one.over && !one.stoppedByScript) kill(-one.pid, SIGCONT);
  }
}

void Launch::beginStop(int exitCode, int signal) {
  if (isStopping()) return;
  exitCode_ = exitCode;
  stopBy_ = Clock::now() + settings_.grace;
  for (const Process& one : processes_) {
    if (one.over) continue;
    kill(-one.pid, signal);
    kill(-one.pid, SIGCONT);  // a stopped process would not notice
  }
}

void Launch::killAll() {
  stopBy_ = Clock::time_point::max();
  for (const Process& one : processes_) {
    if (!one.over) kill(-one.pid, SIGKILL);
  }
}

/// What left the process group of its ancestor has been inherited by us.
void Launch::killStrays() {
  for (;;) {
    bool any = false;
    for (const pid_t pid : childrenOfOurs()) {
      if (pid == keeper_.pid()) continue;
      any = true;
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    if (!any) return;
  }
}

void Launch::finish() {
  killStrays();
  removeStaleSegments();
  for (; nextFault_ < settings_.faults.size(); ++nextFault_) {
    const Fault& fault = settings_.faults[nextFault_];
    reporter_.remark(kTooLate, {{"fault", toString(fault)}});
  }
  reporter_.table(processes_);
  reporter_.event(kEnd, {{"exitCode", exitCode_.value_or(kExitOk)}});

  // Whoever reads our output may be slow; a second Ctrl-C ends the waiting.
  for (;;) {
    reporter_.flush();
    if (reporter_.pending() == 0 || interrupts_ > 1) return;
    polled_.clear();
    polled_.push_back({signals_.get(), POLLIN, 0});
    for (Sink* sink : {&reporter_.output(), &reporter_.errors()}) {
      if (sink->pending() > 0) polled_.push_back({sink->descriptor(), POLLOUT, 0});
    }
    poll(polled_.data(), polled_.size(), -1);
    if (polled_.front().revents != 0) onSignals();
  }
}

}  // namespace ronde::tool
