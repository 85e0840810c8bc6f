#pragma once

#include <deque>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "bin/launcher/process.hpp"
#include "bin/launcher/settings.hpp"
#include "bin/launcher/sink.hpp"
#include "bin/line.hpp"

namespace ronde::tool {

/// Everything that the launcher puts out: the processes' lines, its own remarks, and the closing table. Whole
/// lines only, in the order in which they came. Single-threaded.
class Reporter {
 public:
  /// @throws std::runtime_error if the output folder cannot be made.
  Reporter(const LaunchSettings& settings, std::int64_t startNs);

  enum class From { output, errors };
  /// A line that a process wrote.
  void processLine(const Process& process, From from, const std::string& line);
  /// A remark about the run, e.g. that a fault was carried out. Not shown if quiet.
  void remark(const Line& line, const Fields& fields);
  /// Like remark(), but only in JSON.
  void event(const Line& line, const Fields& fields);
  /// Something that the user must know, in any case.
  void error(const std::string& text);
  /// The table of all processes.
  void table(const std::deque<Process>& processes);

  [[nodiscard]] Sink& output() { return output_; }
  [[nodiscard]] Sink& errors() { return errorsToOutput_ ? output_ : errors_; }
  void flush() {
    output_.flush();
    errors_.flush();
  }
  [[nodiscard]] std::size_t pending() const { return output_.pending() + errors_.pending(); }

 private:
  /// `text` with its first `length` bytes in the colour of process `number`.
  [[nodiscard]] static std::string coloured(const std::string& text, std::size_t length, int number);

  const LaunchSettings& settings_;
  const std::int64_t startNs_;
  const LineFormat format_;
  Sink output_;
  Sink errors_;
  bool errorsToOutput_;  ///< both are the same: one order for all lines
  std::map<std::string, std::ofstream> files_;
};

}  // namespace ronde::tool
