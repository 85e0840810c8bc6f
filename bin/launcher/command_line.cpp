#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <random>
#include <ronde/options.hpp>
#include <ronde/version.hpp>

#include "bin/launcher/settings.hpp"
#include "bin/scenarios/scenario.hpp"

#define RONDE_TEXT2(x) #x
#define RONDE_TEXT(x) RONDE_TEXT2(x)

namespace ronde::tool {
namespace {

using std::chrono::milliseconds;

constexpr const char* kVersion = "ronde-launch " RONDE_TEXT(RONDE_VERSION_MAJOR) "." RONDE_TEXT(
    RONDE_VERSION_MINOR) "." RONDE_TEXT(RONDE_VERSION_PATCH);

constexpr int kDefaultProcesses = 3;
constexpr double kLongestSeconds = 24 * 60 * 60;
/// A stretched demonstration goes on for so long after the last fault of the script.
constexpr milliseconds kAfterLastFault{1500};

/// Bad usage: the text is for the user.
struct UsageError {
  std::string text;
};

/// The command line cut at "--" and ":", before any option is looked at.
struct Segment {
  std::vector<std::string> options;
  std::vector<std::string> program;
  bool hasProgram = false;
};

std::vector<Segment> cut(int argc, char** argv) {
  std::vector<Segment> segments(1);
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    Segment& now = segments.back();
    if (word == ":" && now.hasProgram) {
      segments.emplace_back();
    } else if (word == "--" && !now.hasProgram) {
      now.hasProgram = true;
    } else {
      (now.hasProgram ? now.program : now.options).push_back(word);
    }
  }
  return segments;
}

/// What CLI11 fills in, before it is checked as a whole.
struct Raw {
  std::optional<int> count;
  std::optional<std::string> scenario;
  std::optional<std::string> group;
  std::string language = "fr";
  std::string arrival = "ordered";
  std::optional<std::string> fault;
  std::optional<double> timeout;
  double joinLimit = 30;
  double grace = 3;
  std::optional<double> pace;
  std::optional<std::uint64_t> seed;
};

std::string scenarioList() {
  std::string list;
  for (const Scenario& one : scenarios()) list += std::string("\n  ") + one.name + "  " + one.summary.en;
  return list;
}

std::string footer() {
  return "Scenarios:" + scenarioList() +
         "\n\nSeveral programs form one group: -n 2 -- ./a args : -n 1 -- ./b args\n"
         "Each process finds its group in the environment (RONDE_GROUP, RONDE_NAME, RONDE_EXPECTED):\n"
         "  ronde::Communicator com(ronde::Options::fromEnvironment());\n"
         "Its standard input is empty; the arguments of a program must not contain a lone \":\".\n"
         "In groups of more than 16 the demonstration shows only the heartbeats of the left neighbour.\n"
         "\nFault script: " +
         std::string(kFaultGrammar) +
         "\n\nExit code: that of the first process that failed, 128 + signal if a signal ended it;\n"
         "  0    all ended well            124  the time limit was over\n"
         "  1    a process did not join,   126  a program cannot be executed\n"
         "       or the group is in use    127  a program was not found\n"
         "  2    bad command line\n"
         "A process that the fault script killed has not failed if --keep-going is given.";
}

void addCount(CLI::App& app, Raw& raw) {
  app.add_option("-n,--processes", raw.count, "Number of processes, 1 to " + std::to_string(kMaxMembers))
      ->check(CLI::Range(1, kMaxMembers));
}

void addOptions(CLI::App& app, Raw& raw, LaunchSettings& settings) {
  const CLI::Range seconds(0.0, kLongestSeconds);
  addCount(app, raw);
  app.add_option("--scenario", raw.scenario, "Built-in scenario (default: demo)");
  app.add_option("--group", raw.group, "Name of the group (default: launch-<pid>)");
  app.add_option("--arrival", raw.arrival,
                 "ordered: the next process starts when the one before has registered; random: all at once")
      ->check(CLI::IsMember({"ordered", "random"}))
      ->capture_default_str();
  app.add_option("--lang", raw.language, "Language of the lines, fr or en")
      ->check(CLI::IsMember({"fr", "en"}))
      ->capture_default_str();
  app.add_option("--pace", raw.pace,
                 "Scales the pauses of a scenario; 0: none (default: 1, or slow enough for --fault)")
      ->check(CLI::Range(0.0, 100.0));
  app.add_option("--seed", raw.seed, "Makes what is random repeatable (default: another one each time)");
  app.add_option("--fault", raw.fault, "Fault script, see below");
  app.add_flag("--keep-going", settings.keepGoing, "A failed process does not stop the others");
  app.add_option("--timeout", raw.timeout, "Time limit of the run in seconds; then all are stopped")
      ->check(seconds);
  app.add_option("--join-timeout", raw.joinLimit, "Seconds that a process has from its start to its registration")
      ->check(seconds)
      ->capture_default_str();
  app.add_option("--grace", raw.grace, "Seconds from SIGTERM to SIGKILL when processes are stopped")
      ->check(seconds)
      ->capture_default_str();
  app.add_option("--heartbeat-interval", settings.heartbeatInterval, "Milliseconds between heartbeats");
  app.add_option("--heartbeat-timeout", settings.heartbeatTimeout,
                 "Milliseconds of silence until a member is excluded");
  app.add_option("--output-dir", settings.outputFolder,
                 "Also writes a file NAME.log per process into this folder");
  app.add_flag("--quiet", settings.quiet, "Only what the processes write: no lines of the launcher, no table");
  app.add_flag("--json", settings.json, "Everything as events, one JSON object per line");
  app.set_version_flag("--version", kVersion, "Print the version and exit");
  app.footer(footer());
}

milliseconds toMs(double seconds) { return milliseconds(static_cast<std::int64_t>(seconds * 1000)); }

std::vector<Program> programsOf(const std::vector<Segment>& segments, const Raw& first) {
  std::vector<Program> programs;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    Raw raw = first;
    if (i > 0) {
      CLI::App app;
      raw = {};
      addCount(app, raw);
      std::vector<std::string> reversed(segment.options.rbegin(), segment.options.rend());
      try {
        app.parse(reversed);
      } catch (const CLI::ParseError& error) {
        throw UsageError{std::string("after ':': ") + error.what() + "; expected: -n K -- program args"};
      }
    }
    if (!segment.hasProgram && i > 0)
      throw UsageError{"after ':' a program is missing; expected: -n K -- program args"};
    if (segment.hasProgram && segment.program.empty()) throw UsageError{"after '--' a program is missing"};
    if (segment.hasProgram && !raw.count) {
      throw UsageError{"say how many processes run '" + segment.program.front() + "': -n N -- " +
                       segment.program.front()};
    }
    programs.push_back({raw.count.value_or(kDefaultProcesses), segment.program});
  }
  return programs;
}

const Scenario* scenarioOf(const Raw& raw, const Segment& segment) {
  if (segment.hasProgram) {
    if (raw.scenario) throw UsageError{"--scenario and a program after '--' exclude each other; leave one out"};
    return nullptr;
  }
  if (!raw.scenario) return &scenarios().front();
  const Scenario* scenario = findScenario(*raw.scenario);
  if (scenario == nullptr) {
    throw UsageError{"unknown scenario '" + *raw.scenario + "'; there are:" + scenarioList()};
  }
  return scenario;
}

/// Long enough for every fault of the script to find the scenario still running.
milliseconds pauseOf(const Scenario& scenario, const Raw& raw, const std::vector<Fault>& faults) {
  if (raw.pace)
    return milliseconds(static_cast<std::int64_t>(*raw.pace * static_cast<double>(scenario.pause.count())));
  if (faults.empty()) return scenario.pause;
  return std::max(scenario.pause, (faults.back().at + kAfterLastFault) / (scenario.pauses - 1));
}

/// The library's own rules for names and times.
void checkOptions(const LaunchSettings& settings) {
  Options options = Options::fromEnvironment();
  options.group = settings.group;
  options.expected = settings.processes();
  if (settings.heartbeatInterval) options.heartbeatInterval = milliseconds(*settings.heartbeatInterval);
  if (settings.heartbeatTimeout) options.heartbeatTimeout = milliseconds(*settings.heartbeatTimeout);
  options.validate();
}

LaunchSettings settingsOf(const std::vector<Segment>& segments, const Raw& raw, LaunchSettings settings) {
  const Scenario* scenario = scenarioOf(raw, segments.front());
  settings.programs = programsOf(segments, raw);
  const int count = settings.processes();
  if (count > kMaxMembers) {
    throw UsageError{std::to_string(count) + " processes are too many for one group; at most " +
                     std::to_string(kMaxMembers)};
  }
  if (scenario != nullptr && count < scenario->fewest) {
    throw UsageError{std::string("the scenario '") + scenario->name + "' needs at least " +
                     std::to_string(scenario->fewest) + " processes: -n " + std::to_string(scenario->fewest)};
  }
  settings.group = raw.group.value_or("launch-" + std::to_string(getpid()));
  settings.language = raw.language == "fr" ? Language::fr : Language::en;
  settings.ordered = raw.arrival == "ordered";
  if (raw.timeout) settings.timeout = toMs(*raw.timeout);
  settings.joinLimit = toMs(raw.joinLimit);
  settings.grace = toMs(raw.grace);
  settings.seed = raw.seed ? *raw.seed : std::random_device{}();
  checkOptions(settings);

  if (raw.fault) {
    std::vector<std::string> founders;
    for (int i = 0; i < count; ++i) founders.push_back("P" + std::to_string(i));
    settings.faults = parseFaultScript(*raw.fault, founders);
  }
  if (scenario != nullptr) {
    settings.scenario = scenario->name;
    settings.pause = pauseOf(*scenario, raw, settings.faults);
  }
  return settings;
}

CommandLine refuse(const std::string& text) {
  std::fprintf(stderr, "ronde-launch: %s\nronde-launch: --help explains the options\n", text.c_str());
  return {std::nullopt, kExitUsage};
}

}  // namespace

CommandLine parseCommandLine(int argc, char** argv) {
  const std::vector<Segment> segments = cut(argc, argv);
  CLI::App app(
      "Starts N processes that form one ronde group on this machine: a built-in scenario, or your program:\n"
      "  bin/launch -n 3\n"
      "  bin/launch -n 4 --scenario dice\n"
      "  bin/launch -n 2 -- ./program args");
  app.name("bin/launch");
  Raw raw;
  LaunchSettings settings;
  addOptions(app, raw, settings);
  try {
    std::vector<std::string> reversed(segments.front().options.rbegin(), segments.front().options.rend());
    app.parse(reversed);
    return {settingsOf(segments, raw, settings), kExitOk};
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
  } catch (const CLI::CallForVersion&) {
    std::cout << kVersion << '\n';
  } catch (const CLI::ExtrasError& error) {
    return refuse(std::string(error.what()) + "; your own program goes after '--'");
  } catch (const CLI::ParseError& error) {
    return refuse(error.what());
  } catch (const UsageError& error) {
    return refuse(error.text);
  } catch (const FaultScriptError& error) {
    return refuse(error.what());
  } catch (const Error& error) {
    return refuse(error.what());
  }
  return {std::nullopt, kExitOk};
}

}  // namespace ronde::tool
