#include "tests/support/child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace ronde::testing {
namespace {

[[noreturn]] void runChild(const std::function<std::string()>& body, int pipe, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // 0: the parent is in another pid namespace.
  if (getppid() != parent && getppid() != 0) _exit(1);
  // Its crashes are for the parent to report, not for the framework's handlers.
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTERM, SIGALRM}) {
    std::signal(signal, SIG_DFL);
  }
  std::string report;
  try {
    report = body();
  } catch (const std::exception& failure) {
    report = "<threw: " + std::string(failure.what()) + ">";
  }
  for (std::size_t sent = 0; sent < report.size();) {
    const ssize_t count = write(pipe, report.data() + sent, report.size() - sent);
    if (count <= 0) _exit(1);
    sent += static_cast<std::size_t>(count);
  }
  _exit(0);
}

}  // namespace

Child::Child(const std::function<std::string()>& body) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe2");
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    close(ends[0]);
    runChild(body, ends[1], parent);
  }
  close(ends[1]);
  pipe_ = ends[0];
  if (pid_ < 0) {
    close(pipe_);
    throw std::system_error(errno, std::generic_category(), "fork");
  }
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pipe_(std::exchange(other.pipe_, -1)),
      reaped_(std::exchange(other.reaped_, true)),
      status_(other.status_) {}

Child::~Child() {
  if (!reaped_) kill();
  if (pipe_ >= 0) close(pipe_);
}

std::string Child::report() {
  std::string text;
  char part[4096];
  for (ssize_t count = 0; (count = read(pipe_, part, sizeof(part))) != 0;) {
    if (count < 0 && errno != EINTR) break;
    if (count > 0) text.append(part, static_cast<std::size_t>(count));
  }
  reap();
  if (WIFSIGNALED(status_)) return text + "<signal " + std::to_string(WTERMSIG(status_)) + ">";
  if (WEXITSTATUS(status_) != 0) return text + "<exit " + std::to_string(WEXITSTATUS(status_)) + ">";
  return text;
}

void Child::awaitEnd() const {
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
}

bool Child::hasEnded() const {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid_;
}

void Child::awaitOpen(const Gate& gate) {
  while (!gate.passSoon()) {
    // It may have opened the gate as the last thing it did.
    if (!hasEnded()) continue;
    if (gate.passSoon()) return;
    throw std::runtime_error("the child ended early: " + report());
  }
}

void Child::kill() {
  if (reaped_) return;
  ::kill(pid_, SIGKILL);
  reap();
}

void Child::stop() const {
  ::kill(pid_, SIGSTOP);
  siginfo_t info{};
  // WNOWAIT: should it have ended instead, report() still says how.
  if (waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT) != 0 ||
      info.si_code != CLD_STOPPED) {
    throw std::runtime_error("the child ended before it was stopped");
  }
}

void Child::resume() const { ::kill(pid_, SIGCONT); }

void Child::reap() {
  while (!reaped_) {
    const pid_t found = waitpid(pid_, &status_, 0);
    reaped_ = found == pid_ || (found < 0 && errno != EINTR);
  }
}

std::vector<Child> forkChildren(int n, const std::function<std::string(int)>& body) {
  std::vector<Child> children;
  children.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    children.emplace_back([&body, i] { return body(i); });
  }
  return children;
}

std::string stayUntilKilled() {
  for (;;) pause();
}

void awaitOpen(std::vector<Child>& children, const Gate& gate) {
  // Which of them opens it does not matter: each waits here for one opening.
  for (Child& child : children) child.awaitOpen(gate);
}

std::vector<std::string> reportsOf(std::vector<Child>& children) {
  std::vector<std::string> reports;
  for (Child& child : children) reports.push_back(child.report());
  return reports;
}

std::uint64_t startTimeOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(file, text);
  std::istringstream rest(text.substr(text.rfind(')') + 1));
  std::string field;
  for (int number = 3; number <= 22; ++number) rest >> field;
  return std::stoull(field);
}

}  // namespace ronde::testing
