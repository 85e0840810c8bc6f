#include "tests/corruption/figures.hpp"

#include <cstdio>

namespace ronde::corruption {

namespace {

unsigned long long number(std::uint64_t value) { return value; }

}  // namespace

nlohmann::json rowOf(const Figures& figures) {
  const Tally& tally = figures.tally;
  std::string goal = "0 crashes, 0 hangs, 0 names barred";
  std::string groups = std::to_string(tally.trials);
  if (figures.changesWanted > 0) goal += ", >= " + std::to_string(figures.changesWanted) + " changes";
  if (figures.trialsWanted > 0) groups += " of " + std::to_string(figures.trialsWanted);
  const auto text = groups + " groups, " + std::to_string(tally.mutations) + " changes (" +
                    std::to_string(tally.lasting) + " lasting): " + std::to_string(tally.of(Verdict::crash)) +
                    " crashes, " + std::to_string(tally.of(Verdict::hang)) + " hangs, " +
                    std::to_string(tally.notFoundedAgain) + " names barred";
  return {{"what", figures.what},
          {"goal", goal},
          {"measured", text},
          {"pass", figures.pass()},
          {"trials", tally.trials},
          {"mutations", tally.mutations},
          {"lasting", tally.lasting},
          {"detected", tally.of(Verdict::detected)},
          {"harmless", tally.of(Verdict::harmless)},
          {"lost", tally.of(Verdict::lost)},
          {"altered", tally.of(Verdict::altered)},
          {"crashes", tally.of(Verdict::crash)},
          {"hangs", tally.of(Verdict::hang)},
          {"longest_overrun_ms", tally.longestOverrunMs},
          {"not_founded_again", tally.notFoundedAgain},
          {"seconds", tally.seconds}};
}

void printHead() {
  std::printf("%-28s %8s %9s | %8s %8s %8s %8s | %7s %5s | %7s %6s |\n", "", "groups", "changes", "harmless",
              "detected", "lost", "altered", "crashes", "hangs", "late ms", "barred");
}

void print(const char* title, const Tally& tally) {
  std::printf("%-28s %8llu %9llu | %8llu %8llu %8llu %8llu | %7llu %5llu | %7llu %6llu | %6.0f s\n", title,
              number(tally.trials), number(tally.mutations), number(tally.of(Verdict::harmless)),
              number(tally.of(Verdict::detected)), number(tally.of(Verdict::lost)),
              number(tally.of(Verdict::altered)), number(tally.of(Verdict::crash)),
              number(tally.of(Verdict::hang)), number(tally.longestOverrunMs), number(tally.notFoundedAgain),
              tally.seconds);
  for (const std::string& remark : tally.remarks) std::printf("  %s\n", remark.c_str());
  std::fflush(stdout);
}

void printRegions(const Tally& tally) {
  std::printf("\n%-24s %8s %8s %8s %8s %8s\n", "bits of", "harmless", "detected", "lost", "altered", "broken");
  for (const auto& [name, verdicts] : tally.byRegion) {
    const auto count = [&, &each = verdicts](Verdict verdict) {
      return number(each[static_cast<std::size_t>(verdict)]);
    };
    std::printf("%-24s %8llu %8llu %8llu %8llu %8llu\n", name.c_str(), count(Verdict::harmless),
                count(Verdict::detected), count(Verdict::lost), count(Verdict::altered),
                count(Verdict::crash) + count(Verdict::hang));
  }
}

}  // namespace ronde::corruption
