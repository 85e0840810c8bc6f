#pragma once

#include <array>
#include <cstdint>

namespace ronde::detail {

/// Cores that threads may run on: core c is bit c % 256. What lies beyond 256 cores is folded, so the count is at
/// worst too low.
struct CpuSet {
  std::array<std::uint64_t, 4> words{};

  /// Those the calling thread may use now (affinity, cpuset). None if the kernel does not tell (more cores than
  /// `cpu_set_t` has room for): nobody spins on a guess.
  static CpuSet ofThisThread() noexcept;
  void add(const CpuSet& other) noexcept;
  [[nodiscard]] bool includes(const CpuSet& other) const noexcept;
  [[nodiscard]] int count() const noexcept;
};

}  // namespace ronde::detail
