#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <ronde/types.hpp>
#include <ronde/view.hpp>
#include <string>

namespace ronde::crash {

inline constexpr int kMaxWorkers = 16;
/// Workers 0 and 1 are neither killed nor stopped, so that the group goes on through the whole run.
inline constexpr int kAnchors = 2;

/// What the director asks of the workers. They go through the phases of a checkpoint together.
enum class Phase : std::uint32_t {
  work,    ///< random operations
  pause,   ///< no new ones; what is under way ends
  touch,   ///< anchor 0 takes every mailbox's and the cell's lock once, also from the dead
  report,  ///< take all mail, and write down what is known of the departed
  stream,  ///< anchor 0 sends to anchor 1 as fast as it can
  end,
};

/// The last broadcast that a worker got from a member that has left since: all who could must have got the same.
struct LastBroadcast {
  Member sender;
  std::uint64_t stamp = 0;  ///< its Lamport time
  std::uint64_t view = 0;   ///< in which it was sent
};

struct Report {
  std::uint64_t joinedView = 0;
  std::uint64_t view = 0;  ///< when it was written
  std::uint32_t count = 0;
  std::array<LastBroadcast, 2048> last{};
};

/// What the director and all workers share: anonymous memory, which outlives each of them.
struct Ledger {
  std::atomic<Phase> phase{Phase::work};
  std::array<std::atomic<Phase>, kMaxWorkers> reached{};  ///< by worker
  std::array<Report, kMaxWorkers> reports{};
  std::atomic<double> streamRate{0};  ///< messages per second

  /// Why the run failed; the first one stays.
  std::array<char, 512> violation{};
  std::atomic<bool> isViolated{false};
  void violate(const std::string& text) {
    if (!isViolated.exchange(true)) std::snprintf(violation.data(), violation.size(), "%s", text.c_str());
  }

  std::atomic<std::uint64_t> operations{0};
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<std::uint64_t> evictions{0};  ///< that a worker was told of
  std::atomic<std::uint64_t> sections{0};
  std::atomic<std::uint64_t> meetings{0};  ///< collective calls and rendezvous that succeeded
  std::atomic<std::uint64_t> refusals{0};  ///< calls that ended with a named reason

  /// P4: a number means one view. Returns false if somebody has seen another under this number.
  bool agrees(const View& view) {
    std::uint64_t hash = 0x9e3779b97f4a7c15ULL;
    for (const ViewMember& member : view.members) {
      hash =
          (hash ^ (std::uint64_t{member.member.slot} << 32 | member.member.incarnation)) * 0xff51afd7ed558ccdULL;
      hash ^= hash >> 29;
    }
    std::uint64_t known = 0;
    return views[view.number % views.size()].compare_exchange_strong(known, hash | 1) || known == (hash | 1);
  }

  /// P3: a fence number is granted once. Returns false if it was granted before.
  bool grants(std::uint64_t fence) {
    std::atomic<std::uint64_t>& place = fences[fence % fences.size()];
    std::uint64_t known = place;
    while (known < fence && !place.compare_exchange_weak(known, fence)) {
    }
    return known != fence;
  }

 private:
  std::array<std::atomic<std::uint64_t>, 1 << 22> views{};
  std::array<std::atomic<std::uint64_t>, 1 << 16> fences{};
};

}  // namespace ronde::crash
