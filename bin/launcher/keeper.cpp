#include "bin/launcher/keeper.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <set>

namespace ronde::tool {
namespace {

[[noreturn]] void keep(int line) {
  // Away from the terminal's signals and from those meant for the launcher's group.
  setsid();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) std::signal(signal, SIG_IGN);
  // Whoever waits for the end of the launcher's output must not wait for us.
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(stream);

  std::set<pid_t> groups;
  for (;;) {
    pid_t word = 0;
    const ssize_t got = read(line, &word, sizeof(word));
    if (got == static_cast<ssize_t>(sizeof(word))) {
      word > 0 ? static_cast<void>(groups.insert(word)) : static_cast<void>(groups.erase(-word));
    } else if (got >= 0 || errno != EINTR) {
      break;
    }
  }
  for (const pid_t group : groups) kill(-group, SIGKILL);
  _exit(0);
}

}  // namespace

Keeper::Keeper() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return;
  const Descriptor readEnd(ends[0]);
  line_ = Descriptor(ends[1]);
  pid_ = fork();
  if (pid_ == 0) {
    line_.reset();
    keep(readEnd.get());
  }
}

Keeper::~Keeper() {
  line_.reset();
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

void Keeper::tell(pid_t word) {
  if (pid_ > 0) static_cast<void>(!write(line_.get(), &word, sizeof(word)));
}

}  // namespace ronde::tool
