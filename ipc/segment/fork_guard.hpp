#pragma once

#include <cstdint>

// After fork() the child must neither use nor keep alive what the parent has in the group: file locks belong to
// the open file description that both share, so a child that kept the descriptor would make its dead parent look
// alive.
namespace ronde::detail {

/// Counts the forks that lead to this process. A communicator remembers the value it was made under.
[[nodiscard]] std::uint64_t forkGeneration() noexcept;

/// From now on a forked child closes its copy of `fd` before it runs any other code.
void closeInForkedChild(int fd);
/// Ends that; to be called before `fd` is closed here.
void forgetForkedChild(int fd) noexcept;

}  // namespace ronde::detail
