#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// Runs the real launcher and collects what it writes.
namespace ronde::testing {

using Arguments = std::vector<std::string>;

/// Nothing here may take so long; whatever does is killed, and the test fails.
inline constexpr std::chrono::seconds kWatchdog{100};

/// The launcher under test.
inline std::string launcherPath() {
  const char* path = std::getenv("RONDE_LAUNCH");
  if (path == nullptr) throw std::runtime_error("set RONDE_LAUNCH to the path of ronde-launch (ctest does)");
  return path;
}

/// A shell command that joins the group, runs the demonstration without pauses, and leaves: a program of a user,
/// as far as the launcher can tell.
inline std::string joinAndLeave() { return "'" + launcherPath() + "' --role demo fr text founder 0 1 0"; }

/// A group name of this test process's own, and another one each time.
inline std::string uniqueGroup() {
  static int count = 0;
  return "test-" + std::to_string(getpid()) + "-" + std::to_string(++count);
}

/// True if the group has left something in /dev/shm.
inline bool hasLeftovers(const std::string& group) {
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    if (entry.path().filename().string().ends_with("." + group)) return true;
  }
  return false;
}

inline Arguments operator+(Arguments left, const Arguments& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// The demonstration as fast as it goes.
inline Arguments fastDemo(int n, const Arguments& more = {}) {
  return Arguments{"-n", std::to_string(n),      "--group", uniqueGroup(),         "--pace",
                   "0",  "--heartbeat-interval", "50",      "--heartbeat-timeout", "2000"} +
         more;
}

struct Result {
  int exitCode = -1;  ///< 128 + signal if a signal ended it
  std::string out;
  std::string err;

  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::istringstream stream(out);
    for (std::string line; std::getline(stream, line);) all.push_back(line);
    return all;
  }
  /// The lines that begin with `start` and contain `part`.
  [[nodiscard]] std::vector<std::string> lines(const std::string& start, const std::string& part = "") const {
    std::vector<std::string> some;
    for (const std::string& line : lines()) {
      if (line.starts_with(start) && line.find(part) != std::string::npos) some.push_back(line);
    }
    return some;
  }
  [[nodiscard]] bool has(const std::string& start, const std::string& part = "") const {
    return !lines(start, part).empty();
  }
};

/// A launcher that is running.
class Launcher {
 public:
  /// `merged`: both of its outputs go to the same pipe.
  explicit Launcher(const Arguments& arguments, bool merged = false) {
    // What a killed launcher leaves behind becomes ours, so that we can see it end.
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const std::string path = launcherPath();
    std::array<int, 2> out{};
    std::array<int, 2> err{};
    if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    std::vector<char*> words{const_cast<char*>(path.c_str())};
    for (const std::string& one : arguments) words.push_back(const_cast<char*>(one.c_str()));
    words.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(out[1], STDOUT_FILENO);
      dup2(merged ? out[1] : err[1], STDERR_FILENO);
      execv(path.c_str(), words.data());
      _exit(127);
    }
    close(out[1]);
    close(err[1]);
    out_ = out[0];
    err_ = err[0];
  }
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;
  ~Launcher() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    for (const int end : {out_, err_}) {
      if (end >= 0) close(end);
    }
  }

  /// Reads until `isEnough` says so; with none, to the end of the output.
  const Result& read(const std::function<bool(const Result&)>& isEnough = nullptr) {
    while ((out_ >= 0 || err_ >= 0) && !(isEnough && isEnough(result_))) {
      std::array<pollfd, 2> ends{pollfd{out_, POLLIN, 0}, pollfd{err_, POLLIN, 0}};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now());
      if (poll(ends.data(), ends.size(), static_cast<int>(std::max<std::int64_t>(left.count(), 0))) == 0) {
        kill(pid_, SIGKILL);
        throw std::runtime_error("watchdog: the launcher takes too long; so far:\n" + result_.out + result_.err);
      }
      if (ends[0].revents != 0) readSome(out_, result_.out);
      if (ends[1].revents != 0) readSome(err_, result_.err);
    }
    return result_;
  }

  [[nodiscard]] pid_t pid() const { return pid_; }

  /// From now on nobody reads its standard output.
  void closeOutput() {
    close(out_);
    out_ = -1;
  }

  void signal(int number) const { kill(pid_, number); }

  /// Reads to the end and waits.
  const Result& wait() {
    read();
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    result_.exitCode = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return result_;
  }

 private:
  static void readSome(int& end, std::string& into) {
    std::array<char, 65536> buffer;
    const ssize_t got = ::read(end, buffer.data(), buffer.size());
    if (got > 0) {
      into.append(buffer.data(), static_cast<std::size_t>(got));
    } else {
      close(end);
      end = -1;
    }
  }

  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  Result result_;
  const std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + kWatchdog;
};

inline Result run(const Arguments& arguments, bool merged = false) { return Launcher(arguments, merged).wait(); }

}  // namespace ronde::testing
