#pragma once

#include <sys/types.h>

#include "bin/launcher/descriptor.hpp"

namespace ronde::tool {

/// A small process that outlives the launcher for a moment: if the launcher is killed, it kills the process groups
/// that it was told of, so that nothing stays behind. The kernel's parent-death signal reaches the started
/// processes themselves, but not what they started (a shell script's program).
class Keeper {
 public:
  /// Forks it. Without it (no more processes allowed) the run goes on, protected by the parent-death signal alone.
  Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper();

  void watch(pid_t group) { tell(group); }
  void forget(pid_t group) { tell(-group); }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  void tell(pid_t word);

  pid_t pid_ = -1;
  Descriptor line_;  ///< its closing, by whatever cause, is the keeper's signal
};

}  // namespace ronde::tool
