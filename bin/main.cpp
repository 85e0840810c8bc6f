#include <cstdio>
#include <exception>
#include <span>

#include "bin/launcher/launch.hpp"
#include "bin/launcher/settings.hpp"
#include "bin/scenarios/scenario.hpp"

// The launcher. It also is every process of a built-in scenario: those are this program again, with a first
// argument that says so, started in the same way as a user's program.
int main(int argc, char** argv) {
  using namespace ronde::tool;
  try {
    if (argc > 1 && argv[1] == kRoleFlag) return runRole(std::span(argv + 1, static_cast<std::size_t>(argc - 1)));
    const CommandLine commandLine = parseCommandLine(argc, argv);
    if (!commandLine.settings) return commandLine.exitCode;
    return Launch(*commandLine.settings).run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ronde-launch: %s\n", error.what());
    return 1;
  }
}
