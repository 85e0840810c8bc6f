#pragma once

#include <mutex>
#include <optional>
#include <ronde/event.hpp>

#include "bin/line.hpp"
#include "bin/scenarios/scenario.hpp"

namespace ronde::tool {

/// Writes the events of one process, and the scenario's own remarks, to standard output, one line each.
/// Thread-safe.
///
/// In groups of more than kLargeGroup members a process shows only the heartbeats of its left neighbour, and no
/// view changes once it is leaving itself: their number grows with the square of the group.
class Trace {
 public:
  static constexpr int kLargeGroup = 16;

  /// `options`: of the process's communicator.
  Trace(const ScenarioSettings& settings, const Options& options);

  /// For Options::observer.
  void show(const Event& event);
  /// A remark of the scenario itself.
  void remark(const Line& line, const Fields& fields = Fields::object());

 private:
  [[nodiscard]] bool isWorthALine(const Event& event) const;
  void write(std::string line);

  const LineFormat format_;
  const int expected_;  ///< members that the group will have
  std::mutex mutex_;    ///< protects everything below, and keeps lines whole
  std::optional<View> view_;
  bool leaving_ = false;
};

}  // namespace ronde::tool
