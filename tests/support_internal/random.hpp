#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

namespace ronde::test {

/// The source of a random run. The test prints seed() when it fails; RONDE_TEST_SEED repeats that run.
class Random {
 public:
  Random() : Random(chooseSeed()) {}
  explicit Random(std::uint64_t seed) : seed_(seed), engine_(seed) {}

  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  std::uint64_t word() { return engine_(); }
  /// 0 to bound - 1.
  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  bool oneIn(std::uint64_t n) { return below(n) == 0; }
  std::vector<std::byte> bytes(std::size_t count) {
    std::vector<std::byte> result(count);
    for (std::byte& one : result) one = static_cast<std::byte>(word());
    return result;
  }

 private:
  static std::uint64_t chooseSeed() {
    if (const char* given = std::getenv("RONDE_TEST_SEED")) return std::strtoull(given, nullptr, 10);
    return std::random_device{}();
  }

  std::uint64_t seed_;
  std::mt19937_64 engine_;
};

}  // namespace ronde::test
