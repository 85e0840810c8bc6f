#include "tests/crash/pattern.hpp"

namespace ronde::crash {

std::vector<std::byte> pattern(std::uint32_t tag, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((tag * 31 + i) * 2654435761U >> 24);
  return bytes;
}

bool isPattern(std::span<const std::byte> bytes, std::uint32_t tag) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != static_cast<std::byte>((tag * 31 + i) * 2654435761U >> 24)) return false;
  }
  return !bytes.empty();
}

}  // namespace ronde::crash
