#pragma once

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <vector>

namespace ronde::crash {

/// SIGKILL, also of a stopped process; returns once it is gone.
inline void endProcess(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

/// Forked processes, none of which outlives this object or its process.
class Processes {
 public:
  Processes() = default;
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;
  ~Processes() {
    for (const pid_t pid : all_) endProcess(pid);
  }

  template <class Body>
  pid_t fork(Body body) {
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("fork failed");
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      try {
        body();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        _exit(1);
      }
      _exit(0);
    }
    all_.push_back(pid);
    return pid;
  }
  /// Processes that take the cores away.
  void forkSpinners(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      fork([] {
        for (volatile bool on = true; on;) {
        }
      });
    }
  }
  /// One of them.
  void end(pid_t pid) {
    endProcess(pid);
    std::erase(all_, pid);
  }
  void signalAll(int signal) const {
    for (const pid_t pid : all_) kill(pid, signal);
  }

 private:
  std::vector<pid_t> all_;
};

}  // namespace ronde::crash
