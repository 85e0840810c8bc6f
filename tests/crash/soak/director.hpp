#pragma once

#include <cstdint>
#include <string>

namespace ronde::crash {

struct SoakSettings {
  std::uint64_t seed = 0;
  double minutes = 0;       ///< 0: no limit
  std::uint64_t kills = 0;  ///< 0: no limit
  int workers = 6;
  bool onlyKills = false;  ///< no SIGSTOP and no starvation
  unsigned spinners = 0;   ///< processes that take the cores away, half of the time
};

struct SoakResult {
  std::string violation;  ///< empty: none
  double seconds = 0;
  std::uint64_t operations = 0;
  std::uint64_t delivered = 0;
  std::uint64_t sections = 0;
  std::uint64_t meetings = 0;  ///< collective calls and rendezvous that succeeded
  std::uint64_t refusals = 0;  ///< calls that ended with a named reason
  std::uint64_t kills = 0;
  std::uint64_t stops = 0;
  std::uint64_t fenced = 0;  ///< stopped ones that the others killed, since they held a lock
  std::uint64_t evictions = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t locksOfTheDead = 0;  ///< checkpoints at which a lock bore the name of one who is gone
  std::uint64_t views = 0;
  // Messages per second from one anchor to the other, beside those of five fresh groups in turns: medians of 50.
  double rateBefore = 0;  ///< before the first fault
  double rateAfter = 0;   ///< after the last one
  // From after the first checkpoint to after the last one.
  long memoryGrowth = 0;      ///< bytes, of the anchors together
  long descriptorGrowth = 0;  ///< of the anchors together
  long segmentGrowth = 0;     ///< bytes that the segment has in memory
  std::uint64_t leakedSlots = 0;
};

/// Runs the soak: workers under faults, with a checkpoint every so often.
[[nodiscard]] SoakResult soak(const SoakSettings& settings);

}  // namespace ronde::crash
