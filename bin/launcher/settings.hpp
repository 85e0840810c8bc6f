#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bin/launcher/fault_script.hpp"
#include "bin/text.hpp"

namespace ronde::tool {

/// A user's program and how many processes run it. No arguments: the built-in scenario.
struct Program {
  int count = 0;
  std::vector<std::string> arguments;
};

/// What the command line asks for, checked.
struct LaunchSettings {
  std::vector<Program> programs;
  std::string scenario;  ///< empty if programs are run
  std::string group;
  Language language = Language::fr;
  bool ordered = true;  ///< the next process starts when the one before has registered
  bool keepGoing = false;
  bool quiet = false;
  bool json = false;
  std::string outputFolder;                          ///< empty: none
  std::optional<std::chrono::milliseconds> timeout;  ///< of the whole run
  std::chrono::milliseconds joinLimit{0};            ///< for one process, from its start to its registration
  std::chrono::milliseconds grace{0};                ///< from SIGTERM to SIGKILL
  std::optional<int> heartbeatInterval;              ///< ms
  std::optional<int> heartbeatTimeout;               ///< ms
  std::chrono::milliseconds pause{0};                ///< between a scenario's steps
  std::uint64_t seed = 0;
  std::vector<Fault> faults;

  [[nodiscard]] int processes() const {
    int sum = 0;
    for (const Program& program : programs) sum += program.count;
    return sum;
  }
};

/// Exit codes of the launcher's own; otherwise it is that of the first process that failed, or 128 + signal.
inline constexpr int kExitOk = 0;
inline constexpr int kExitNotJoined =
    1;  ///< a process ended with 0 without joining, or joined not in time, or the group is in use
inline constexpr int kExitUsage = 2;
inline constexpr int kExitTimeout = 124;
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;

/// What became of a command line.
struct CommandLine {
  std::optional<LaunchSettings> settings;  ///< nothing: there is nothing to run
  int exitCode = kExitOk;
};

/// Reads the command line; prints help, version, and errors.
[[nodiscard]] CommandLine parseCommandLine(int argc, char** argv);

}  // namespace ronde::tool
