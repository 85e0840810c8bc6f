#pragma once

namespace ronde::detail {

/// Asks for the cache line at `line` to write it soon; a hint, whatever lies there. Never of a line that another
/// process is about to write or polls: it would be taken from it. (The barrier's arrivals are an exception: who
/// fetches them is about to write there itself.)
inline void fetchForWriting(const void* line) noexcept {
#if defined(__x86_64__)
  // The builtin becomes a fetch for reading unless the compiler is told of a newer processor.
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line, 1);
#endif
}

}  // namespace ronde::detail
