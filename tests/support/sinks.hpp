#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <utility>
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

/// Does something in the middle of a take: when the record was looked at, before the message is taken.
class MeddlingSink : public ByteSink {
 public:
  explicit MeddlingSink(std::function<void()> meddle) : meddle_(std::move(meddle)) {}
  std::byte* prepare(std::size_t length) override {
    meddle_();
    return ByteSink::prepare(length);
  }

 private:
  std::function<void()> meddle_;
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
