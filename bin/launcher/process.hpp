#pragma once

#include <string.h>  // sigabbrev_np
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "bin/launcher/descriptor.hpp"
#include "bin/launcher/line_buffer.hpp"

namespace ronde::tool {

/// One end of a started process's output.
struct Stream {
  Descriptor pipe;
  LineBuffer lines;
};

/// One started process, from its start to the closing table.
struct Process {
  std::string name;
  std::vector<std::string> arguments;  ///< of a user's program; empty for a scenario
  int number = 0;                      ///< in order of starting
  pid_t pid = -1;                      ///< also its process group
  std::chrono::steady_clock::time_point started;
  std::chrono::steady_clock::time_point ended;
  Stream output;
  Stream errors;

  bool late = false;       ///< started by the fault script
  int segmentsBefore = 0;  ///< GroupWatch::created() at its start
  bool joined = false;     ///< seen as registered
  bool over = false;       ///< ended and reaped
  bool stoppedByScript = false;
  bool killedByScript = false;
  int exitCode = 0;  ///< 128 + signal if a signal ended it
  int signal = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;

  /// What people call it, e.g. "P1 (./a)".
  [[nodiscard]] std::string title() const {
    return arguments.empty() ? name : name + " (" + arguments.front() + ")";
  }
  /// How it ended: the exit code, or the name of the signal.
  [[nodiscard]] std::string endText() const {
    if (signal == 0) return std::to_string(exitCode);
    const char* abbreviation = sigabbrev_np(signal);
    return abbreviation != nullptr ? std::string("SIG") + abbreviation : "signal " + std::to_string(signal);
  }
};

}  // namespace ronde::tool
