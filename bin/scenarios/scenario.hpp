#pragma once

#include <chrono>
#include <cstdint>
#include <ronde/options.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bin/text.hpp"

namespace ronde::tool {

/// What one process of a built-in scenario is told by the launcher, beside the RONDE_… environment.
struct ScenarioSettings {
  std::string scenario;
  Language language = Language::fr;
  bool json = false;
  bool late = false;                   ///< joins a group that is under way already
  std::chrono::milliseconds pause{0};  ///< between two steps
  std::uint64_t seed = 0;              ///< of everything random
  std::int64_t startNs = 0;            ///< when the run began, CLOCK_MONOTONIC
};

/// A built-in scenario. `run` is one process of it, and returns its exit code.
struct Scenario {
  const char* name;
  Text summary;
  int fewest;                       ///< processes it needs at least
  int pauses;                       ///< how many pauses a run takes, roughly
  std::chrono::milliseconds pause;  ///< the usual one
  int (*run)(const ScenarioSettings& settings);
};

/// All built-in scenarios, the default one first.
[[nodiscard]] std::span<const Scenario> scenarios();
/// The scenario called `name`, or null.
[[nodiscard]] const Scenario* findScenario(std::string_view name);

/// First argument of a process that plays a scenario. Not for users.
inline constexpr std::string_view kRoleFlag = "--role";
/// The command line that makes this program play a scenario, and its inverse: runs it.
[[nodiscard]] std::vector<std::string> roleArguments(const ScenarioSettings& settings);
[[nodiscard]] int runRole(std::span<char* const> arguments);

/// The options of this process, from the environment. A latecomer whose group has meanwhile ended founds one of
/// its own (and sees that it is alone) instead of waiting for a cohort that will not come.
[[nodiscard]] Options optionsOf(const ScenarioSettings& settings);

int runDemo(const ScenarioSettings& settings);
int runDice(const ScenarioSettings& settings);

}  // namespace ronde::tool
