#include "benchmarks/harness/processes.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace ronde::bench {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void failSystem(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

/// A forked process and the reading end of a pipe from it.
class Piped {
 public:
  Piped(int deathSignal, const std::function<void(int)>& body) : signal_(deathSignal) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) failSystem("pipe");
    pid_ = forkBound(deathSignal);
    if (pid_ == 0) {
      close(ends[0]);
      body(ends[1]);
      _exit(1);
    }
    close(ends[1]);
    pipe_ = ends[0];
  }
  Piped(Piped&& other) noexcept
      : signal_(other.signal_),
        pid_(std::exchange(other.pid_, -1)),
        pipe_(std::exchange(other.pipe_, -1)),
        text_(std::move(other.text_)) {}
  Piped(const Piped&) = delete;
  Piped& operator=(const Piped&) = delete;
  ~Piped() {
    if (pipe_ >= 0) close(pipe_);
    if (pid_ <= 0) return;
    kill(pid_, signal_);
    waitpid(pid_, nullptr, 0);
  }

  /// Reads until the process closes the pipe. False at the deadline.
  bool readAll(Clock::time_point deadline) {
    std::array<char, 4096> buffer{};
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      pollfd waited{pipe_, POLLIN, 0};
      if (left <= 0 || poll(&waited, 1, static_cast<int>(left)) == 0) return false;
      const ssize_t count = read(pipe_, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return true;
      text_.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  /// Its wait status.
  int reap() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  int signal_;
  pid_t pid_ = -1;
  int pipe_ = -1;
  std::string text_;
};

void writeAll(int file, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = write(file, text.data() + done, text.size() - done);
    if (count <= 0) _exit(1);
    done += static_cast<std::size_t>(count);
  }
}

std::string lastLine(const std::string& text) {
  const std::size_t end = text.find_last_not_of("\n -");
  if (end == std::string::npos) return "no output";
  const std::size_t begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? 0 : begin));
}

Clock::time_point deadlineAfter(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

const std::vector<int>& cores() {
  static const std::vector<int> found = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) failSystem("sched_getaffinity");
    std::vector<int> list;
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) list.push_back(core);
    }
    return list;
  }();
  return found;
}

Placement placementFor(int n) {
  return static_cast<std::size_t>(n) <= cores().size() ? Placement::coreEach : Placement::free;
}

void pin(Placement placement, int process) {
  if (placement == Placement::free) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cores().at(placement == Placement::oneCore ? 0 : static_cast<std::size_t>(process)), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) failSystem("sched_setaffinity");
}

pid_t forkBound(int deathSignal) {
  const pid_t parent = getpid();
  std::fflush(nullptr);
  const pid_t pid = fork();
  if (pid < 0) failSystem("fork");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, deathSignal);
    if (getppid() != parent) _exit(1);
  }
  return pid;
}

std::vector<std::string> runProcesses(int n, Placement placement, double limit,
                                      const std::function<std::string(int)>& body) {
  static_cast<void>(cores());  // as it is before the children are pinned
  std::vector<Piped> children;
  for (int i = 0; i < n; ++i) {
    children.emplace_back(SIGKILL, [&](int out) {
      try {
        pin(placement, i);
        writeAll(out, body(i));
        std::exit(0);  // not _exit(): some libraries sign off in a static object's destructor
      } catch (const std::exception& error) {
        writeAll(out, error.what());
        _exit(1);
      }
    });
  }
  std::vector<std::string> results;
  const auto deadline = deadlineAfter(limit);
  for (Piped& child : children) {
    if (!child.readAll(deadline)) throw std::runtime_error("no result in time");
    const int status = child.reap();
    if (WIFSIGNALED(status)) throw std::runtime_error("ended by signal " + std::to_string(WTERMSIG(status)));
    if (status != 0) throw std::runtime_error(child.text());
    results.push_back(child.text());
  }
  return results;
}

std::string runProgram(const std::vector<std::string>& command, double limit) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // SIGTERM, so that mpirun can end its processes.
  Piped child(SIGTERM, [&](int out) {
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    close(out);
    execvp(arguments[0], arguments.data());
    _exit(127);
  });
  if (!child.readAll(deadlineAfter(limit))) throw std::runtime_error("no result in time");
  if (child.reap() != 0) throw std::runtime_error(lastLine(child.text()));
  return child.text();
}

}  // namespace ronde::bench
