#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace ronde::tool {

/// One line of a fault script: at time `at` after the founding cohort is complete, something happens to a process.
struct Fault {
  enum class Action { kill, stop, cont, join };
  Action action = Action::kill;
  std::string name;
  std::chrono::milliseconds at{0};
};

[[nodiscard]] const char* toString(Fault::Action action);
/// As it is written in a script, e.g. "kill P1 @2s".
[[nodiscard]] std::string toString(const Fault& fault);

/// Says what is wrong with a script, where, and what is right.
class FaultScriptError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline constexpr const char* kFaultGrammar =
    "ACTION NAME @TIME [; ACTION NAME @TIME ...], where ACTION is kill, stop, cont or join, and TIME is like 2s, "
    "1.5s "
    "or 500ms after all have registered; e.g. \"kill P1 @2s; join P3 @8s\"";

/// Reads a script for a group that begins with the processes `founders`. Returns it in the order of time.
/// @throws FaultScriptError
[[nodiscard]] std::vector<Fault> parseFaultScript(std::string_view script,
                                                  const std::vector<std::string>& founders);

}  // namespace ronde::tool
