#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <stdexcept>

#include "benchmarks/harness/clock.hpp"

namespace ronde::bench {

/// One process's end of a transport between processes 0 to n-1. A peer implements what it can; the synchronous
/// calls have a default from messages, which is what a user of a library without them would write.
class Endpoint {
 public:
  Endpoint() = default;
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  virtual ~Endpoint() = default;

  /// Where the next message is to be written: a buffer of our own, or memory of the transport.
  virtual std::span<std::byte> prepare(std::size_t size) = 0;
  /// Sends what was prepared. With more than two processes, the same may be sent to several in turn.
  virtual void send(int to) = 0;
  /// The next message, which has `size` bytes; valid until the next call.
  virtual std::span<const std::byte> receive(std::size_t size) = 0;

  /// Sends what was prepared and returns once `to` has it.
  virtual void sendSync(int to) {
    send(to);
    receive(1);
  }
  virtual std::span<const std::byte> receiveSync(int from, std::size_t size) {
    const auto message = receive(size);
    acknowledge(from);
    return message;
  }
  /// Process 0 sends what was prepared to 1 … n-1 and returns once all have it.
  virtual void broadcastSync(int n) {
    for (int to = 1; to < n; ++to) send(to);
    for (int i = 1; i < n; ++i) receive(1);
  }
  /// In 1 … n-1.
  virtual std::span<const std::byte> receiveBroadcast(std::size_t size) { return receiveSync(0, size); }

  /// All n have called it.
  virtual void barrier() { throw std::logic_error("no barrier"); }
  /// The value that process 0 gives.
  virtual std::uint64_t agree(std::uint64_t mine, int self, int n) {
    if (self != 0) {
      const auto message = receive(sizeof mine);
      std::memcpy(&mine, message.data(), sizeof mine);
      return mine;
    }
    for (int to = 1; to < n; ++to) {
      std::memcpy(prepare(sizeof mine).data(), &mine, sizeof mine);
      send(to);
    }
    return mine;
  }

 protected:
  void acknowledge(int to) {
    prepare(1)[0] = std::byte{1};
    send(to);
  }
};

}  // namespace ronde::bench
