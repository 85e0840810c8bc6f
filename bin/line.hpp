#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "bin/text.hpp"

namespace ronde::tool {

/// A kind of output line: its name in --json, its tag, and its sentence. Text and JSON are made from the same
/// fields.
struct Line {
  const char* event;
  const char* tag;  ///< may be empty
  Text text;
};

/// Makes output lines of one process, as text or as JSON. Immutable, so thread-safe.
class LineFormat {
 public:
  /// `process`: who speaks, in JSON; `prefix`: the same in text, e.g. "[COM P1]". `startNs`: when the run began,
  /// by CLOCK_MONOTONIC, so that the times of all processes compare.
  LineFormat(std::string process, std::string prefix, Language language, bool json, std::int64_t startNs)
      : process_(std::move(process)),
        prefix_(std::move(prefix)),
        language_(language),
        json_(json),
        startNs_(startNs) {}

  [[nodiscard]] bool isJson() const { return json_; }
  [[nodiscard]] Language language() const { return language_; }
  /// One line without its line end.
  [[nodiscard]] std::string make(const Line& line, const Fields& fields) const;

  [[nodiscard]] static std::int64_t nowNs() {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

 private:
  std::string process_;
  std::string prefix_;
  Language language_;
  bool json_;
  std::int64_t startNs_;
};

}  // namespace ronde::tool
