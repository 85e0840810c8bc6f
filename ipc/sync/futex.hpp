#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>

// The kernel's futex calls on words that several processes map (never the PRIVATE variants, which is why
// std::atomic::wait cannot be used on the segment: libstdc++ passes the private flag).
namespace ronde::detail {

using Word = std::atomic<std::uint32_t>;
static_assert(Word::is_always_lock_free && sizeof(Word) == 4);

/// Sleeps while `word` holds `expected`, at most `limit`. May return early for any reason.
void futexWait(const Word& word, std::uint32_t expected, std::chrono::nanoseconds limit) noexcept;

/// Wakes every sleeper on `word`, in whichever process.
void futexWakeAll(const Word& word) noexcept;

struct FutexExpectation {
  const Word* word;
  std::uint32_t expected;
};

/// The most words one futexWaitAny can watch.
inline constexpr std::size_t kFutexWaitAnyMax = 128;

/// Sleeps until one of the words is woken or differs, at most `limit`. Returns false, without having slept, where
/// the kernel has no futex_waitv or forbids it.
bool futexWaitAny(std::span<const FutexExpectation> words, std::chrono::nanoseconds limit) noexcept;

}  // namespace ronde::detail
