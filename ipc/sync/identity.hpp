#pragma once

#include <cstdint>

namespace ronde::detail {

/// Which process, beyond its pid: all pids can be reused within a heartbeat timeout (32768 of them in 1.4 s).
struct ProcessIdentity {
  std::uint32_t pid = 0;
  std::uint64_t pidNamespace = 0;  ///< inode of /proc/self/ns/pid; pids of other namespaces mean nothing here
  std::uint64_t startTime = 0;     ///< field 22 of /proc/<pid>/stat

  static ProcessIdentity ofThisProcess() noexcept;
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};

/// True if the process certainly ended: no such pid, a zombie, or the pid belongs to another process by now. False
/// if it lives, or in another pid namespace.
[[nodiscard]] bool hasEnded(const ProcessIdentity& process) noexcept;

/// A process whose pid cannot get another owner while this exists, so that more can be asked about it before it is
/// killed.
class PinnedProcess {
 public:
  explicit PinnedProcess(const ProcessIdentity& process) noexcept;
  PinnedProcess(const PinnedProcess&) = delete;
  PinnedProcess& operator=(const PinnedProcess&) = delete;
  ~PinnedProcess();

  /// SIGKILL, if it certainly is the process that was meant and not this one. False if not, or not allowed.
  [[nodiscard]] bool killForSure() const noexcept;

 private:
  int fd_ = -1;  ///< -1: not that process
};

}  // namespace ronde::detail
