#include "bin/scenarios/trace.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "bin/scenarios/event_lines.hpp"

namespace ronde::tool {

Trace::Trace(const ScenarioSettings& settings, const Options& options)
    : format_(options.name, "[COM " + options.name + "]", settings.language, settings.json, settings.startNs),
      expected_(options.expected) {}

void Trace::show(const Event& event) {
  const std::scoped_lock lock(mutex_);
  leaving_ = leaving_ || event.type == EventType::stopping;
  if (isWorthALine(event)) write(format_.make(lineOf(event), fieldsOf(event, view_ ? &*view_ : nullptr)));
  if (event.roster != nullptr) view_ = *event.roster;
}

void Trace::remark(const Line& line, const Fields& fields) {
  const std::scoped_lock lock(mutex_);
  write(format_.make(line, fields));
}

bool Trace::isWorthALine(const Event& event) const {
  // What the others do after we have left is theirs to tell.
  if (event.type == EventType::view && leaving_ && event.self == kUnknownId) return false;
  const int size = std::max(expected_, view_ ? view_->size() : 0);
  if (size <= kLargeGroup) return true;
  if (event.type == EventType::heartbeat) {
    return view_ && event.peer == (event.self + view_->size() - 1) % view_->size();
  }
  return !(event.type == EventType::view && leaving_);
}

void Trace::write(std::string line) {
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return;  // nobody listens any more; the run itself goes on
    }
  }
}

}  // namespace ronde::tool
