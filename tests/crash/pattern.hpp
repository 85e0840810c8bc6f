#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ronde::crash {

/// Payloads show any tear: each byte follows from the tag and its place.
[[nodiscard]] std::vector<std::byte> pattern(std::uint32_t tag, std::size_t size);
[[nodiscard]] bool isPattern(std::span<const std::byte> bytes, std::uint32_t tag);

}  // namespace ronde::crash
