#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

// After fork() the child must neither use nor keep alive what the parent has in the group: file locks belong to
// the open file description that both share, so a child that kept the descriptor would make its dead parent look
// alive.
namespace ronde::detail {

inline std::atomic<std::uint64_t> forks{0};

/// Counts the forks that lead to this process. A communicator remembers the value it was made under.
[[nodiscard]] inline std::uint64_t forkGeneration() noexcept { return forks.load(std::memory_order_relaxed); }

/// While one exists, fork() in another thread waits: a descriptor that is opened and registered under one is never
/// inherited unregistered. Also guards what the process keeps about its segments.
class ForkPause {
 public:
  ForkPause();

 private:
  std::lock_guard<std::recursive_mutex> guard_;
};

/// From now on a forked child closes its copy of `fd` before it runs any other code. Under the ForkPause in which
/// it was opened.
void closeInForkedChild(int fd);
/// Ends that. Under the ForkPause in which `fd` is closed.
void forgetForkedChild(int fd) noexcept;

}  // namespace ronde::detail
