#pragma once

#include "ipc/sync/futex.hpp"

namespace ronde::detail {

/// An event that processes sleep on: bit 0 says that somebody sleeps, the rest counts wake-ups.
///
/// Who writes: sleepers set bit 0; wakers advance the count and clear it, and only if it is set, so that waking
/// nobody is one load of a line that nobody writes.
/// What a death leaves: a dead sleeper's bit costs the next waker one needless system call. A waker that dies
/// between publishing its news and wake() leaves sleepers to their next slice (WaitPlan::slice in wait.hpp).
///
/// The one correct order, for both sides:
///   waker:    publish the news;  an atomic read-modify-write (every caller's unlock or CAS is one);  wake()
///   sleeper:  announce();  look for the news;  sleep() only if there is none
/// The two read-modify-writes are the full barriers: one side always sees the other. A seq_cst store in place of
/// the waker's will do if the sleeper's look at the news is a seq_cst load. SYNC: wake-word.
struct WakeWord {
  Word word;

  /// Announces a sleeper; returns what to pass to sleep().
  std::uint32_t announce() noexcept { return word.fetch_or(1, std::memory_order_seq_cst) | 1; }

  void sleep(std::uint32_t announced, std::chrono::nanoseconds limit) const noexcept {
    futexWait(word, announced, limit);
  }

  void wake() noexcept {
    const std::uint32_t seen = word.load(std::memory_order_seq_cst);
    if ((seen & 1) != 0) wakeSleepers();
  }

 private:
  void wakeSleepers() noexcept {
    std::uint32_t seen = word.load(std::memory_order_relaxed);
    while ((seen & 1) != 0 && !word.compare_exchange_weak(seen, (seen + 2) & ~1U, std::memory_order_seq_cst)) {
    }
    futexWakeAll(word);
  }
};

}  // namespace ronde::detail
