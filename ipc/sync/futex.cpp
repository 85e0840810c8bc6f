#include "ipc/sync/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

namespace ronde::detail {
namespace {

timespec toTimespec(std::chrono::nanoseconds time) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
  return {static_cast<time_t>(seconds.count()), static_cast<long>((time - seconds).count())};
}

}  // namespace

void futexWait(const Word& word, std::uint32_t expected, std::chrono::nanoseconds limit) noexcept {
  if (limit.count() <= 0) return;
  const timespec relative = toTimespec(limit);
  syscall(SYS_futex, &word, FUTEX_WAIT, expected, &relative, nullptr, 0);
}

void futexWakeAll(const Word& word) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

bool futexWaitAny(std::span<const FutexExpectation> words, std::chrono::nanoseconds limit) noexcept {
  // The kernel's struct futex_waitv, declared here because older headers lack it.
  struct Waiter {
    std::uint64_t value;
    std::uint64_t address;
    std::uint32_t flags;
    std::uint32_t reserved;
  };
  constexpr std::uint32_t kSize32 = 2;  // FUTEX2_SIZE_U32, shared
  std::array<Waiter, kFutexWaitAnyMax> waiters;
  const std::size_t count = std::min(words.size(), waiters.size());
  for (std::size_t i = 0; i < count; ++i) {
    waiters[i] = {words[i].expected, reinterpret_cast<std::uintptr_t>(words[i].word), kSize32, 0};
  }
  if (limit.count() <= 0) return true;
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  const timespec relative = toTimespec(limit);
  until.tv_sec += relative.tv_sec;
  until.tv_nsec += relative.tv_nsec;
  if (until.tv_nsec >= 1'000'000'000) {
    until.tv_nsec -= 1'000'000'000;
    ++until.tv_sec;
  }
  const long result = syscall(SYS_futex_waitv, waiters.data(), count, 0, &until, CLOCK_MONOTONIC);
  return result >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL);
}

}  // namespace ronde::detail
