#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <ronde/inspect.hpp>
#include <thread>

#include "tests/crash/soak/director.hpp"

namespace {

using ronde::crash::SoakResult;
using ronde::crash::SoakSettings;

/// The allocator takes and keeps some; a leak of one byte per kill or message is far more in a long run.
constexpr long kMemoryGrowth = 4 << 20;

nlohmann::json toJson(const SoakResult& result) {
  return {{"violation", result.violation},
          {"seconds", result.seconds},
          {"operations", result.operations},
          {"delivered", result.delivered},
          {"sections", result.sections},
          {"meetings", result.meetings},
          {"refusals", result.refusals},
          {"kills", result.kills},
          {"stops", result.stops},
          {"fenced", result.fenced},
          {"evictions", result.evictions},
          {"checkpoints", result.checkpoints},
          {"locks_of_the_dead", result.locksOfTheDead},
          {"views", result.views},
          {"rate_before", result.rateBefore},
          {"rate_after", result.rateAfter},
          {"memory_growth", result.memoryGrowth},
          {"descriptor_growth", result.descriptorGrowth},
          {"segment_growth", result.segmentGrowth},
          {"leaked_slots", result.leakedSlots}};
}

}  // namespace

int main(int argc, char** argv) {
  SoakSettings settings;
  settings.seed = std::random_device{}();
  std::string json;
  bool starve = false;

  CLI::App app{
      "Random operations in one group, whose members are killed, stopped, woken up and starved all the time; "
      "checks "
      "order, clocks, views, broadcasts, fences and growth. Ends at the first limit that is given."};
  app.add_option("--minutes", settings.minutes, "runs so long; default: 1, or until the kills are done")
      ->check(CLI::PositiveNumber);
  app.add_option("--kills", settings.kills, "ends after so many")->check(CLI::PositiveNumber);
  app.add_option("--workers", settings.workers, "processes at once")
      ->check(CLI::Range(3, 16))
      ->capture_default_str();
  app.add_flag("--only-kills", settings.onlyKills, "nobody is stopped; as many kills as possible");
  app.add_flag("--starve", starve, "four spinning processes per core, half of the time");
  app.add_option("--seed", settings.seed, "of the faults and of each worker's operations");
  app.add_option("--json", json, "writes the result to FILE")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);
  if (settings.minutes == 0 && settings.kills == 0) settings.minutes = 1;
  if (starve) settings.spinners = 4 * std::max(1U, std::thread::hardware_concurrency());

  std::printf("soak: seed %llu\n", static_cast<unsigned long long>(settings.seed));
  std::fflush(stdout);
  try {
    const SoakResult result = ronde::crash::soak(settings);
    const nlohmann::json report = toJson(result);
    for (const auto& [key, value] : report.items()) {
      std::printf("%-18s %s\n", key.c_str(),
                  value.is_string() ? value.get<std::string>().c_str() : value.dump().c_str());
    }
    if (!json.empty()) std::ofstream(json) << report.dump(1) << '\n';
    const bool isFine = result.violation.empty() && result.leakedSlots == 0 && result.descriptorGrowth <= 0 &&
                        result.memoryGrowth <= kMemoryGrowth;
    ronde::removeStaleSegments();
    return isFine ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "soak: %s\n", error.what());
    return 1;
  }
}
