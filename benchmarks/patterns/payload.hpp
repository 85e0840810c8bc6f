#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace ronde::bench {

/// What a message says to its receiver's loop.
enum class Tag : std::uint8_t { warmUp = 1, counted, last };

/// Writes one word of every cache line, so that the lines have to move, whichever way the transport moves them.
inline void fill(std::span<std::byte> payload, Tag tag) {
  constexpr std::size_t kLine = 64;
  for (std::size_t at = kLine; at < payload.size(); at += kLine) payload[at] = static_cast<std::byte>(tag);
  payload[0] = static_cast<std::byte>(tag);
}

/// Reads one word of every cache line.
inline Tag read(std::span<const std::byte> payload) {
  constexpr std::size_t kLine = 64;
  std::uint8_t seen = 0;
  for (std::size_t at = 0; at < payload.size(); at += kLine) seen |= static_cast<std::uint8_t>(payload[at]);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  asm volatile("" : : "r"(seen));  // or the loop would go
  return static_cast<Tag>(payload[0]);
}

}  // namespace ronde::bench
