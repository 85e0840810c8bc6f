#include "bin/scenarios/scenario.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <ronde/error.hpp>

namespace ronde::tool {
namespace {

using std::chrono::milliseconds;

constexpr std::array kScenarios{
    Scenario{"demo",
             {"les huit étapes de la spécification", "the eight steps of the specification"},
             2,
             9,
             milliseconds(500),
             &runDemo},
    Scenario{"dice",
             {"un jeu de dés : le premier à 20 gagne", "a game of dice: the first at 20 wins"},
             2,
             20,
             milliseconds(100),
             &runDice},
};

template <class T>
T numberFrom(std::string_view text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::span<const Scenario> scenarios() { return kScenarios; }

const Scenario* findScenario(std::string_view name) {
  for (const Scenario& one : kScenarios) {
    if (name == one.name) return &one;
  }
  return nullptr;
}

std::vector<std::string> roleArguments(const ScenarioSettings& settings) {
  return {std::string(kRoleFlag),
          settings.scenario,
          settings.language == Language::fr ? "fr" : "en",
          settings.json ? "json" : "text",
          settings.late ? "late" : "founder",
          std::to_string(settings.pause.count()),
          std::to_string(settings.seed),
          std::to_string(settings.startNs)};
}

int runRole(std::span<char* const> arguments) {
  if (arguments.size() != 8) {
    std::fprintf(stderr, "ronde-launch: --role is for the launcher's own use; see --help\n");
    return 2;
  }
  ScenarioSettings settings;
  settings.scenario = arguments[1];
  settings.language = std::string_view(arguments[2]) == "fr" ? Language::fr : Language::en;
  settings.json = std::string_view(arguments[3]) == "json";
  settings.late = std::string_view(arguments[4]) == "late";
  settings.pause = milliseconds(numberFrom<std::int64_t>(arguments[5]));
  settings.seed = numberFrom<std::uint64_t>(arguments[6]);
  settings.startNs = numberFrom<std::int64_t>(arguments[7]);
  const Scenario* scenario = findScenario(settings.scenario);
  if (scenario == nullptr) return 2;
  try {
    return scenario->run(settings);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

Options optionsOf(const ScenarioSettings& settings) {
  Options options = Options::fromEnvironment();
  if (settings.late) options.expected = 1;
  return options;
}

}  // namespace ronde::tool
