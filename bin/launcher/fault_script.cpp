#include "bin/launcher/fault_script.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <ronde/error.hpp>
#include <ronde/options.hpp>
#include <utility>

#include "bin/text.hpp"

namespace ronde::tool {
namespace {

using std::chrono::milliseconds;
using Action = Fault::Action;

constexpr std::array kActions{std::pair{"kill", Action::kill}, std::pair{"stop", Action::stop},
                              std::pair{"cont", Action::cont}, std::pair{"join", Action::join}};
constexpr milliseconds kLatest = std::chrono::hours(24);
constexpr std::string_view kSpace = " \t\r\n";

/// A word of the script and where it begins.
struct Word {
  std::string_view text;
  std::size_t at = 0;
};

struct PlacedFault {
  Fault fault;
  Word action;
  Word name;
};

[[noreturn]] void refuse(std::string_view script, std::size_t at, const std::string& what) {
  std::string shown(script);
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c == '\n' || c == '\t' || c == '\r'; }, ' ');
  throw FaultScriptError("--fault: " + what + "\n  " + shown + "\n  " +
                         std::string(columnsOf(script.substr(0, at)), ' ') + "^\nexpected: " + kFaultGrammar);
}

/// Reads one script word by word.
class Reader {
 public:
  explicit Reader(std::string_view script) : script_(script) {}

  [[nodiscard]] bool atEnd() {
    skip(kSpace);
    return at_ == script_.size();
  }
  [[nodiscard]] bool takeSeparators() {
    const std::size_t before = at_;
    skip(" \t\r\n;");
    return script_.substr(before, at_ - before).find(';') != std::string_view::npos;
  }
  Word word(const std::string& missing) {
    skip(kSpace);
    const std::size_t end = std::min(script_.find_first_of(" \t\r\n;@", at_ + 1), script_.size());
    if (at_ == script_.size() || script_[at_] == ';') refuse(script_, at_, missing);
    const Word result{script_.substr(at_, end - at_), at_};
    at_ = end;
    return result;
  }
  [[nodiscard]] std::size_t place() const { return at_; }

 private:
  void skip(std::string_view what) { at_ = std::min(script_.find_first_not_of(what, at_), script_.size()); }

  std::string_view script_;
  std::size_t at_ = 0;
};

Action readAction(std::string_view script, const Word& word) {
  for (const auto& [text, action] : kActions) {
    if (word.text == text) return action;
  }
  refuse(script, word.at, "unknown action '" + std::string(word.text) + "'");
}

milliseconds readTime(std::string_view script, const Word& word) {
  const auto bad = [&](const std::string& why) { refuse(script, word.at, why); };
  if (word.text.front() != '@') bad("the time begins with '@'");
  const std::string text(word.text.substr(1));
  const bool startsWithDigit = !text.empty() && text.front() >= '0' && text.front() <= '9';
  char* unit = nullptr;
  const double number = startsWithDigit ? std::strtod(text.c_str(), &unit) : 0;
  const std::string_view rest = unit == nullptr ? "" : unit;
  const double factor = rest == "s" || rest.empty() ? 1000 : rest == "ms" ? 1 : 0;
  if (!startsWithDigit || factor == 0) bad("'" + std::string(word.text) + "' is not a time");
  if (!(number * factor <= static_cast<double>(kLatest.count()))) bad("the time is later than a day");
  return milliseconds(std::llround(number * factor));
}

std::string readName(std::string_view script, const Word& word) {
  Options options;
  options.name = word.text;
  try {
    options.validate();
  } catch (const Error& error) {
    refuse(script, word.at, error.what());
  }
  return options.name;
}

/// Plays the script through, to find what cannot be done when its time comes.
void checkStory(std::string_view script, const std::vector<PlacedFault>& faults,
                const std::vector<std::string>& founders) {
  enum class State { running, stopped, dead };
  std::map<std::string, State> processes;
  for (const std::string& name : founders) processes[name] = State::running;
  for (const auto& [fault, action, name] : faults) {
    const auto found = processes.find(fault.name);
    const bool exists = found != processes.end();
    if (fault.action == Action::join) {
      if (exists && found->second != State::dead) {
        refuse(script, name.at, "'" + fault.name + "' runs already at that time");
      }
      processes[fault.name] = State::running;
      continue;
    }
    if (!exists) refuse(script, name.at, "there is no process '" + fault.name + "' at that time");
    if (found->second == State::dead) refuse(script, name.at, "'" + fault.name + "' was killed before");
    if (fault.action == Action::cont && found->second != State::stopped) {
      refuse(script, action.at, "'" + fault.name + "' is not stopped at that time");
    }
    found->second = fault.action == Action::kill   ? State::dead
                    : fault.action == Action::stop ? State::stopped
                                                   : State::running;
  }
}

}  // namespace

const char* toString(Fault::Action action) {
  for (const auto& [text, one] : kActions) {
    if (one == action) return text;
  }
  return "?";
}

std::string toString(const Fault& fault) {
  const auto ms = fault.at.count();
  const std::string time = ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
  return std::string(toString(fault.action)) + " " + fault.name + " @" + time;
}

std::vector<Fault> parseFaultScript(std::string_view script, const std::vector<std::string>& founders) {
  std::vector<PlacedFault> faults;
  Reader reader(script);
  static_cast<void>(reader.takeSeparators());
  while (!reader.atEnd()) {
    PlacedFault one;
    one.action = reader.word("an action is missing");
    one.fault.action = readAction(script, one.action);
    one.name = reader.word("the name of a process is missing");
    one.fault.name = readName(script, one.name);
    one.fault.at = readTime(script, reader.word("the time is missing"));
    faults.push_back(one);
    if (!reader.takeSeparators() && !reader.atEnd()) refuse(script, reader.place(), "a ';' is missing");
  }
  if (faults.empty()) refuse(script, 0, "the script is empty");
  std::stable_sort(faults.begin(), faults.end(),
                   [](const PlacedFault& a, const PlacedFault& b) { return a.fault.at < b.fault.at; });
  checkStory(script, faults, founders);

  std::vector<Fault> result;
  for (PlacedFault& one : faults) result.push_back(std::move(one.fault));
  return result;
}

}  // namespace ronde::tool
