#pragma once

#include <array>
#include <cstdint>

namespace ronde::detail {

/// Cores that threads may run on: core c is bit c % 256. What lies beyond 256 cores is folded, so the count is at
/// worst too low.
struct CpuSet {
  std::array<std::uint64_t, 4> words{};

  /// Those the calling thread may use now (affinity, cpuset); all if the kernel does not tell.
  static CpuSet ofThisThread() noexcept;
  void add(const CpuSet& other) noexcept;
  [[nodiscard]] int count() const noexcept;
};

}  // namespace ronde::detail
