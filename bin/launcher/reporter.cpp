#include "bin/launcher/reporter.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace ronde::tool {
namespace {

constexpr Line kOutput{"output", "", {"{text}", "{text}"}};
constexpr std::array kColours{"\033[36m", "\033[33m", "\033[35m", "\033[32m", "\033[34m", "\033[31m"};
constexpr const char* kPlain = "\033[0m";

bool wantsColour(const Sink& sink) { return std::getenv("NO_COLOR") == nullptr && sink.isTerminal(); }

/// Length of the "[COM P1][SEND]" at the start of a line, 0 if there is none.
std::size_t tagsLength(std::string_view line) {
  std::size_t length = 0;
  while (length < line.size() && line[length] == '[') {
    const auto close = line.find(']', length);
    if (close == std::string_view::npos) break;
    length = close + 1;
  }
  return length;
}

std::string seconds(std::chrono::nanoseconds time) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2f s", std::chrono::duration<double>(time).count());
  return text;
}

}  // namespace

Reporter::Reporter(const LaunchSettings& settings, std::int64_t startNs)
    : settings_(settings),
      startNs_(startNs),
      format_("launch", "[launch]", settings.language, settings.json, startNs),
      output_(STDOUT_FILENO),
      errors_(STDERR_FILENO),
      errorsToOutput_(!settings.json && output_.isSameAs(errors_)) {
  if (!settings.outputFolder.empty()) std::filesystem::create_directories(settings.outputFolder);
}

std::string Reporter::coloured(const std::string& text, std::size_t length, int number) {
  const char* colour = kColours[static_cast<std::size_t>(number) % kColours.size()];
  return colour + text.substr(0, length) + kPlain + text.substr(length);
}

void Reporter::processLine(const Process& process, From from, const std::string& line) {
  // Scenarios say themselves who speaks, and in JSON write whole objects.
  const bool isScenarios = process.arguments.empty() && from == From::output;
  const std::string prefix = isScenarios ? "" : "[" + process.name + "] ";
  if (!settings_.outputFolder.empty()) {
    const auto [file, isNew] = files_.try_emplace(process.name);
    if (isNew) file->second.open(std::filesystem::path(settings_.outputFolder) / (process.name + ".log"));
    file->second << line << '\n' << std::flush;
  }
  if (settings_.json) {
    const LineFormat speaker(process.name, "", settings_.language, true, startNs_);
    const Fields fields{{"stream", from == From::output ? "stdout" : "stderr"}, {"text", line}};
    output_.add((isScenarios ? line : speaker.make(kOutput, fields)) + "\n");
    return;
  }
  Sink& sink = from == From::output ? output() : errors();
  const std::string text = prefix + line + "\n";
  sink.add(wantsColour(sink) ? coloured(text, isScenarios ? tagsLength(text) : prefix.size(), process.number)
                             : text);
}

void Reporter::remark(const Line& line, const Fields& fields) {
  if (settings_.json) return event(line, fields);
  if (!settings_.quiet) output().add(format_.make(line, fields) + "\n");
}

void Reporter::event(const Line& line, const Fields& fields) {
  if (settings_.json) output_.add(format_.make(line, fields) + "\n");
}

void Reporter::error(const std::string& text) { errors().add("ronde-launch: " + text + "\n"); }

void Reporter::table(const std::deque<Process>& processes) {
  if (settings_.json || settings_.quiet) return;
  const bool french = settings_.language == Language::fr;
  using Row = std::array<std::string, 6>;
  std::vector<Row> rows{french ? Row{"processus", "pid", "fin", "durée", "envoyés", "reçus"}
                               : Row{"process", "pid", "exit", "run time", "sent", "received"}};
  for (const Process& one : processes) {
    rows.push_back({one.name, std::to_string(one.pid), one.endText(), seconds(one.ended - one.started),
                    std::to_string(one.sent), std::to_string(one.received)});
  }
  std::array<std::size_t, 6> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columnsOf(row[i]));
  }
  output().add("\n");
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += (i > 0 ? "  " : "") + padded(row[i], widths[i], i > 0);
    output().add(line + "\n");
  }
}

}  // namespace ronde::tool
