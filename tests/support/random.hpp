#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace ronde::testing {

/// The seed of a random test: RONDE_TEST_SEED, or a new one. CAPTURE it, so that a failure prints it.
std::uint64_t randomSeed();

/// Random choices that depend on nothing but the seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// 0 to limit - 1.
  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }
  bool chance(unsigned percent) { return below(100) < percent; }

 private:
  std::mt19937_64 engine_;
};

/// `size` bytes that differ from those of every other number.
std::vector<std::byte> pattern(std::size_t size, std::uint64_t number);
/// The same as text.
std::string patternText(std::size_t size, std::uint64_t number);

}  // namespace ronde::testing
