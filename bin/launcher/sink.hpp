#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace ronde::tool {

/// An output that takes whole lines and never makes the launcher wait: what the other side does not take yet (a
/// pager, a stopped terminal) is kept. The descriptor itself is not made non-blocking, since others share it.
/// Single-threaded.
class Sink {
 public:
  explicit Sink(int descriptor) : descriptor_(descriptor) {}

  void add(std::string_view text) { pending_ += text; }
  /// Writes as much as can be written without waiting.
  void flush();

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::size_t pending() const { return pending_.size() - done_; }
  /// True once the other side has gone away; what comes after that is dropped.
  [[nodiscard]] bool isBroken() const { return broken_; }
  [[nodiscard]] bool isTerminal() const;
  /// True if both are the same terminal, pipe or file.
  [[nodiscard]] bool isSameAs(const Sink& other) const;

 private:
  int descriptor_;
  std::string pending_;
  std::size_t done_ = 0;  ///< bytes of pending_ that are written
  bool broken_ = false;
};

}  // namespace ronde::tool
