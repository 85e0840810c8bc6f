#include "tests/support/sleeper.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>
#include <string>

namespace ronde::testing {

char threadState(pid_t process, pid_t thread) {
  std::ifstream file("/proc/" + std::to_string(process) + "/task/" + std::to_string(thread) + "/stat");
  std::string line;
  std::getline(file, line);
  // The state follows the name, which may hold anything, also parentheses.
  const auto nameEnd = line.rfind(") ");
  return nameEnd == std::string::npos ? '\0' : line[nameEnd + 2];
}

void awaitAsleep(pid_t process, pid_t thread) {
  for (;;) {
    const char state = threadState(process, thread);
    if (state == 'S') return;
    if (state == '\0' || state == 'Z') throw std::runtime_error("the thread ended instead of blocking");
    std::this_thread::yield();
  }
}

pid_t threadId() { return static_cast<pid_t>(syscall(SYS_gettid)); }

}  // namespace ronde::testing
