#include "bin/launcher/spawn.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <system_error>

namespace ronde::tool {
namespace {

std::optional<rlimit> originalLimit;

struct Pipe {
  Descriptor readEnd;
  Descriptor writeEnd;
};

Pipe makePipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw std::system_error(errno, std::generic_category(), "making a pipe (see ulimit -n)");
  }
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

/// In the child: everything up to exec. We are single-threaded, so any function may be called here.
void becomeProgram(const SpawnRequest& request, pid_t launcher, int output, int errors) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != launcher) raise(SIGKILL);  // it died before the line above took effect

  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
      dup2(errors, STDERR_FILENO) < 0) {
    return;
  }
  if (originalLimit) setrlimit(RLIMIT_NOFILE, &*originalLimit);
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  for (const auto& [name, value] : request.environment) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> arguments;
  for (const std::string& one : request.arguments) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  execvp(request.program.c_str(), arguments.data());
}

}  // namespace

Spawned spawn(const SpawnRequest& request) {
  Pipe output = makePipe();
  Pipe errors = makePipe();
  Pipe failure = makePipe();  // closed by a successful exec, otherwise it carries errno
  const pid_t launcher = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid == 0) {
    becomeProgram(request, launcher, output.writeEnd.get(), errors.writeEnd.get());
    const int reason = errno;
    static_cast<void>(!write(failure.writeEnd.get(), &reason, sizeof(reason)));
    _exit(127);
  }
  setpgid(pid, pid);  // whichever of the two is first
  failure.writeEnd.reset();
  int reason = 0;
  ssize_t got = 0;
  do {
    got = read(failure.readEnd.get(), &reason, sizeof(reason));
  } while (got < 0 && errno == EINTR);
  if (got == sizeof(reason)) {
    waitpid(pid, nullptr, 0);
    throw std::system_error(reason, std::generic_category(), "cannot execute '" + request.program + "'");
  }
  for (const int end : {output.readEnd.get(), errors.readEnd.get()}) fcntl(end, F_SETFL, O_NONBLOCK);
  return {pid, std::move(output.readEnd), std::move(errors.readEnd)};
}

void raiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  originalLimit = limit;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace ronde::tool
