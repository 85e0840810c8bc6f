#include "ipc/sync/cpu_set.hpp"

#include <sched.h>

#include <bit>

namespace ronde::detail {

CpuSet CpuSet::ofThisThread() noexcept {
  CpuSet cores;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return cores;
  for (std::size_t core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) cores.words[core / 64 % 4] |= std::uint64_t{1} << (core % 64);
  }
  return cores;
}

void CpuSet::add(const CpuSet& other) noexcept {
  for (std::size_t i = 0; i < words.size(); ++i) words[i] |= other.words[i];
}

bool CpuSet::includes(const CpuSet& other) const noexcept {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if ((other.words[i] & ~words[i]) != 0) return false;
  }
  return true;
}

int CpuSet::count() const noexcept {
  int sum = 0;
  for (const std::uint64_t word : words) sum += std::popcount(word);
  return sum;
}

}  // namespace ronde::detail
