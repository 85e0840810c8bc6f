#include "ipc/sync/identity.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ronde::detail {
namespace {

struct ProcStat {
  bool found = false;
  char state = '?';
  std::uint64_t startTime = 0;
};

ProcStat readStat(const char* path) noexcept {
  ProcStat result;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return result;
  std::array<char, 1024> text{};
  const ssize_t length = read(fd, text.data(), text.size() - 1);
  close(fd);
  if (length <= 0) return result;
  // The second field is the command in parentheses and may hold anything, so count from the last ')'.
  const char* at = std::strrchr(text.data(), ')');
  if (at == nullptr || at[1] == '\0') return result;
  result.state = at[2];
  at += 1;
  for (int field = 2; field < 21 && at != nullptr; ++field) at = std::strchr(at + 1, ' ');
  if (at == nullptr) return result;
  result.startTime = std::strtoull(at, nullptr, 10);
  result.found = true;
  return result;
}

ProcStat readStat(std::uint32_t pid) noexcept {
  std::array<char, 32> path{};
  std::snprintf(path.data(), path.size(), "/proc/%u/stat", pid);
  return readStat(path.data());
}

std::uint64_t ownNamespace() noexcept {
  struct stat info {};
  return stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

}  // namespace

ProcessIdentity ProcessIdentity::ofThisProcess() noexcept {
  return {static_cast<std::uint32_t>(getpid()), ownNamespace(), readStat("/proc/self/stat").startTime};
}

bool hasEnded(const ProcessIdentity& process) noexcept {
  if (process.pid == 0 || process.pidNamespace != ownNamespace() || process.pidNamespace == 0) return false;
  const ProcStat now = readStat(process.pid);
  if (!now.found) return kill(static_cast<pid_t>(process.pid), 0) != 0 && errno == ESRCH;
  return now.startTime != process.startTime || now.state == 'Z' || now.state == 'X';
}

PinnedProcess::PinnedProcess(const ProcessIdentity& process) noexcept {
  if (process.pid <= 1 || process.pidNamespace != ownNamespace() || process.pidNamespace == 0) return;
  if (process.pid == static_cast<std::uint32_t>(getpid())) return;
#ifdef SYS_pidfd_open
  // The descriptor pins the process; only then is the start time worth comparing.
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, process.pid, 0));
  if (fd < 0) return;
  const ProcStat now = readStat(process.pid);
  if (now.found && now.startTime == process.startTime) {
    fd_ = fd;
  } else {
    close(fd);
  }
#endif
}

PinnedProcess::~PinnedProcess() {
  if (fd_ >= 0) close(fd_);
}

bool PinnedProcess::killForSure() const noexcept {
#ifdef SYS_pidfd_open
  return fd_ >= 0 && syscall(SYS_pidfd_send_signal, fd_, SIGKILL, nullptr, 0) == 0;
#else
  return false;
#endif
}

}  // namespace ronde::detail
