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

/// Kills the process (SIGKILL) if it is certainly that one and not this one. False if it was not allowed or not
/// sure.
bool killForSure(const ProcessIdentity& process) noexcept;

}  // namespace ronde::detail
