// What a group costs while it does nothing.

#include <sys/stat.h>
#include <time.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "benchmarks/harness/clock.hpp"
#include "benchmarks/harness/shared.hpp"
#include "benchmarks/patterns/patterns.hpp"
#include "benchmarks/peers/ronde_options.hpp"
#include "benchmarks/rows/contenders.hpp"
#include "benchmarks/rows/rows.hpp"

namespace ronde::bench {
namespace {

double processorSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Private memory of this process that was written, in bytes.
double privateBytes() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    double kibibytes = 0;
    if (word == "RssAnon:" && status >> kibibytes) return kibibytes * 1024;
  }
  throw std::runtime_error("no RssAnon in /proc/self/status");
}

/// Bytes of memory behind the group's segment, touched or not.
double segmentBytes(const std::string& group) {
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    struct stat about {};
    if (!entry.path().filename().string().ends_with("." + group) || stat(entry.path().c_str(), &about) != 0)
      continue;
    return static_cast<double>(about.st_blocks) * 512;
  }
  throw std::runtime_error("no segment of the group in /dev/shm");
}

void meet(std::atomic<int>& count, int all) {
  ++count;
  while (count < all) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

/// Percent of one core that all members take together while nobody calls anything.
Figures idle(int n, double seconds) {
  const std::string group = newGroup();
  const Shared<std::atomic<int>> joined(0);
  const Shared<std::atomic<int>> done(0);
  // Several heartbeats long.
  const double span = std::max(8 * seconds, 2.0);
  const auto texts = runProcesses(n, Placement::free, kRunLimit + span, [&](int self) {
    const Communicator member(optionsFor({n, 0, Waiting::mixed}, self, group));
    meet(*joined, n);
    const double before = processorSeconds();
    std::this_thread::sleep_for(std::chrono::duration<double>(span));
    const double used = processorSeconds() - before;
    meet(*done, n);
    return encode({single(100 * used / span)});
  });
  double sum = 0;
  for (const std::string& text : texts) sum += decode(text).at(0).median;
  return {single(sum)};
}

Figures memory(int n) {
  const std::string group = newGroup();
  const Shared<std::atomic<int>> joined(0);
  const Shared<std::atomic<int>> done(0);
  const auto texts = runProcesses(n, Placement::free, kRunLimit, [&](int self) {
    const double before = privateBytes();
    const Communicator member(optionsFor({n, 0, Waiting::mixed}, self, group));
    const double grown = privateBytes() - before;
    meet(*joined, n);
    const double shared = segmentBytes(group) / n;
    meet(*done, n);
    return encode({single(shared), single(grown)});
  });
  std::vector<double> grown;
  for (const std::string& text : texts) grown.push_back(decode(text).at(1).median);
  return {decode(texts.front()).at(0), single(medianOf(grown))};
}

}  // namespace

std::vector<Experiment> groupRows(const Scale& scale) {
  std::vector<Experiment> list;
  list.push_back({"idle group",
                  0,
                  16,
                  {{"", "%", Better::lower}},
                  {{kOurs, [](double seconds) { return idle(16, seconds); }}},
                  std::nullopt});
  const std::vector<int> groups = scale.quick ? std::vector{16} : std::vector{1, 4, 16, 64};
  for (const int n : groups) {
    list.push_back({"memory of a member",
                    0,
                    n,
                    {{"shared", "B", Better::lower}, {"private", "B", Better::lower}},
                    {{kOurs, [n](double) { return memory(n); }}},
                    std::nullopt});
  }
  return list;
}

}  // namespace ronde::bench
