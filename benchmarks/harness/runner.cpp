#include "benchmarks/harness/runner.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "benchmarks/harness/text.hpp"

namespace ronde::bench {
namespace {

/// One line that is written over if somebody is looking, else a line per experiment.
class Progress {
 public:
  explicit Progress(std::size_t cells) : cells_(cells) {}

  void begin(const std::string& what) {
    what_ = what;
    if (!terminal_) std::fprintf(stderr, "%s %s\n", state().c_str(), what.c_str());
  }
  void step(const std::string& who) {
    if (terminal_) std::fprintf(stderr, "\r\033[K%s %s: %s", state().c_str(), what_.c_str(), who.c_str());
    ++done_;
  }
  void fail(const std::string& text) const {
    std::fprintf(stderr, "%s%s\n", terminal_ ? "\r\033[K" : "  ", text.c_str());
  }
  ~Progress() {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  /// "[ 24/166, 31 s left]"
  [[nodiscard]] std::string state() const {
    const std::string text = "[" + std::to_string(done_) + "/" + std::to_string(cells_);
    if (done_ == 0) return text + "]";
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin_;
    const double left = spent.count() / static_cast<double>(done_) * static_cast<double>(cells_ - done_);
    return text + ", " + std::to_string(std::lround(left)) + " s left]";
  }

  bool terminal_ = isatty(STDERR_FILENO) != 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::size_t cells_;
  std::size_t done_ = 0;
  std::string what_;
};

/// All contenders and the floor, which runs among them.
std::vector<const Contender*> fieldOf(const Experiment& experiment) {
  std::vector<const Contender*> field;
  for (const Contender& contender : experiment.contenders) field.push_back(&contender);
  if (experiment.floor) field.push_back(&*experiment.floor);
  return field;
}

/// By contender: the figures of each repetition.
using Repetitions = std::map<const Contender*, std::vector<Figures>>;

Repetitions repeat(const Experiment& experiment, const Plan& plan, Progress& progress, Results& results) {
  Repetitions all;
  std::set<const Contender*> failed;
  for (int i = 0; i < plan.repetitions; ++i) {
    for (const Contender* contender : fieldOf(experiment)) {
      progress.step(contender->name);
      if (failed.contains(contender)) continue;
      try {
        all[contender].push_back(contender->run(plan.seconds));
      } catch (const std::exception& error) {
        failed.insert(contender);
        results.oursFailed |= contender->name == kOurs;
        results.failures.push_back(title(experiment) + ", " + contender->name + ": " + error.what());
        progress.fail(results.failures.back());
      }
    }
  }
  return all;
}

Figure middleOf(const std::vector<Figures>& repetitions, std::size_t metric) {
  std::vector<Figure> figures;
  for (const Figures& repetition : repetitions) figures.push_back(repetition.at(metric));
  return middle(figures);
}

Row rowOf(const Experiment& experiment, const Repetitions& all, std::size_t index) {
  const Metric& metric = experiment.metrics[index];
  Row row{experiment.row + (metric.name.empty() ? "" : ", " + metric.name),
          experiment.size,
          experiment.n,
          metric,
          {},
          {},
          {}};
  for (const auto* contender : fieldOf(experiment)) {
    const auto found = all.find(contender);
    if (found == all.end() || found->second.empty()) continue;
    const bool isFloor = experiment.floor && contender == &*experiment.floor;
    if (isFloor && index > 0) continue;
    Figure figure = middleOf(found->second, index);
    if (isFloor) {
      row.floor = {contender->name, std::move(figure)};
    } else if (contender->name == kOurs) {
      row.ours = std::move(figure);
    } else {
      row.peers.push_back({contender->name, std::move(figure)});
    }
  }
  const bool lower = metric.better == Better::lower;
  std::stable_sort(row.peers.begin(), row.peers.end(), [lower](const Named& a, const Named& b) {
    return lower ? a.figure.median < b.figure.median : a.figure.median > b.figure.median;
  });
  return row;
}

}  // namespace

double Row::ratioToBestPeer() const {
  return ours && !peers.empty() ? ours->median / peers.front().figure.median : kNone;
}

double Row::ratioToFloor() const { return ours && floor ? ours->median / floor->figure.median : kNone; }

Results run(const std::vector<Experiment>& experiments, const Plan& plan) {
  std::size_t cells = 0;
  for (const Experiment& experiment : experiments) {
    cells += fieldOf(experiment).size() * static_cast<std::size_t>(plan.repetitions);
  }
  Results results;
  Progress progress(cells);
  for (const Experiment& experiment : experiments) {
    progress.begin(title(experiment));
    const Repetitions all = repeat(experiment, plan, progress, results);
    for (std::size_t i = 0; i < experiment.metrics.size(); ++i) results.rows.push_back(rowOf(experiment, all, i));
  }
  return results;
}

}  // namespace ronde::bench
