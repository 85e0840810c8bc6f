#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "bin/launcher/descriptor.hpp"

namespace ronde::tool {

/// What to start.
struct SpawnRequest {
  std::string program;                 ///< looked up in PATH unless it contains '/'
  std::vector<std::string> arguments;  ///< the first is what the program sees as its own name
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to ours
};

/// A started process: leader of a process group of its own, killed by the kernel when we die, with an empty
/// standard input.
struct Spawned {
  pid_t pid = -1;
  Descriptor output;
  Descriptor errors;
};

/// Starts a process.
/// @throws std::system_error: the program cannot be executed, or we lack descriptors or processes.
[[nodiscard]] Spawned spawn(const SpawnRequest& request);

/// Lets the descriptors that 512 processes need be opened. Children get the original limit back.
void raiseDescriptorLimit();

}  // namespace ronde::tool
