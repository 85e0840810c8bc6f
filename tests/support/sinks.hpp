#pragma once

#include <cstddef>
#include <stdexcept>
#include <vector>

#include "ipc/mailbox/inbox.hpp"

namespace ronde::testing {

/// Takes any message.
class ByteSink : public detail::Sink {
 public:
  std::byte* prepare(std::size_t length) override {
    content.assign(length, std::byte{0});
    return content.data();
  }
  [[nodiscard]] std::span<const std::byte> bytes() const override { return content; }
  std::vector<std::byte> content;
};

/// A buffer that the caller gave: refuses what is longer.
class SmallSink : public detail::Sink {
 public:
  struct TooSmall : std::runtime_error {
    TooSmall() : std::runtime_error("buffer too small") {}
  };
  explicit SmallSink(std::size_t size) : content(size) {}
  std::byte* prepare(std::size_t length) override {
    if (length > content.size()) throw TooSmall();
    return content.data();
  }
  [[nodiscard]] std::span<const std::byte> bytes() const override { return content; }
  std::vector<std::byte> content;
};

}  // namespace ronde::testing
