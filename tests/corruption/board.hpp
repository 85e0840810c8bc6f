#pragma once

#include <atomic>
#include <cstdint>

namespace ronde::corruption {

/// How a trial ended.
enum class Verdict : std::uint32_t {
  harmless,  ///< every call was ok and every message as it was sent
  altered,   ///< every call was ok, but a message or a view was another than it should be
  lost,      ///< calls ended, at their deadline or before, with a status that does not name the damage
  detected,  ///< a call said that the segment or a mailbox is damaged, or refused it by a named error
  crash,     ///< a signal, a report of a sanitizer, an exception or a status that the interface does not know
  hang,      ///< a call did not end in time
};
inline constexpr int kVerdicts = 6;

/// What the watcher and the process that runs the trials share. The latter may die at any moment.
struct Board {
  std::atomic<std::uint64_t> mutations{0};         ///< words or bits changed in the trial under way
  std::atomic<std::uint64_t> longestOverrunMs{0};  ///< of a call beyond its deadline
  std::atomic<std::uint64_t> notFoundedAgain{0};   ///< trials after which no group could be founded under the name
  std::atomic<std::uint64_t> repeated{0};          ///< trials that were spoiled before the damage
  std::atomic<std::uint32_t> isArmed{0};           ///< live: the watcher may write
  char where[512] = {};                            ///< of the trial under way: what was changed
  char said[512] = {};                             ///< of it: the first thing that was not as usual
};

}  // namespace ronde::corruption
