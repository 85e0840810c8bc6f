#include "tests/support/random.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace ronde::testing {
namespace {

std::uint64_t chooseSeed() {
  if (const char* given = std::getenv("RONDE_TEST_SEED")) return std::strtoull(given, nullptr, 10);
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

Random::Random() : Random(chooseSeed()) {}

std::vector<std::byte> Random::bytes(std::size_t count) {
  std::vector<std::byte> result(count);
  for (std::byte& one : result) one = static_cast<std::byte>(word());
  return result;
}

std::string patternText(std::size_t size, std::uint64_t number) {
  std::string text(size, '\0');
  std::uint64_t word = number * 0x9e3779b97f4a7c15ULL + 1;
  for (std::size_t at = 0; at < size; at += sizeof(word)) {
    word ^= word << 13;
    word ^= word >> 7;
    word ^= word << 17;
    std::memcpy(text.data() + at, &word, std::min(sizeof(word), size - at));
  }
  return text;
}

std::vector<std::byte> pattern(std::size_t size, std::uint64_t number) {
  const std::string text = patternText(size, number);
  std::vector<std::byte> bytes(size);
  if (size > 0) std::memcpy(bytes.data(), text.data(), size);
  return bytes;
}

}  // namespace ronde::testing
