#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace ronde::testing {

/// The source of a random run. CAPTURE its seed(), so that a failure prints it; RONDE_TEST_SEED repeats that run.
class Random {
 public:
  Random();
  explicit Random(std::uint64_t seed) : seed_(seed), engine_(seed) {}

  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  std::uint64_t word() { return engine_(); }
  /// 0 to limit - 1.
  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
  bool oneIn(std::uint64_t n) { return below(n) == 0; }
  std::vector<std::byte> bytes(std::size_t count);

 private:
  std::uint64_t seed_;
  std::mt19937_64 engine_;
};

/// `size` bytes that differ from those of every other number.
std::vector<std::byte> pattern(std::size_t size, std::uint64_t number);
/// The same as text.
std::string patternText(std::size_t size, std::uint64_t number);

}  // namespace ronde::testing
