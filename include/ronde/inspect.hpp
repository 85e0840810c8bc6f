#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <ronde/export.hpp>
#include <ronde/types.hpp>
#include <ronde/view.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ronde {

/// Life of a slot of the registration table.
enum class SlotState : std::uint8_t {
  free = 0,
  joining,   ///< taken, not in a view yet
  active,    ///< registered: waiting for the founding cohort, or in the view
  departed,  ///< left, died or evicted; kept until nobody needs its outbox and its process is gone
  damaged,   ///< garbage, which no member writes
};

[[nodiscard]] RONDE_EXPORT std::string_view toString(SlotState state) noexcept;

/// One slot as seen from outside. Counters are as of the member's last heartbeat, or of its stop().
struct SlotReport {
  Member member;
  ShortName name;
  int pid = 0;
  SlotState state = SlotState::free;
  std::chrono::milliseconds heartbeatAge{0};
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t pending = 0;  ///< messages in its mailbox
};

/// A read-only look at a group, without joining it. Works on a living group, and goes on working on what a group
/// left behind after its last member died, for as long as the object exists. Not thread-safe.
class RONDE_EXPORT GroupInspector {
 public:
  /// Opens the segment of `group`, or returns nothing if there is none.
  /// @throws Error(refusedSegment), Error(incompatibleSegment) as joining would.
  [[nodiscard]] static std::optional<GroupInspector> open(std::string_view group);
  GroupInspector(GroupInspector&&) noexcept;
  GroupInspector& operator=(GroupInspector&&) noexcept;
  ~GroupInspector();

  /// The current view; number 0 and empty before the founding cohort is complete.
  [[nodiscard]] View view() const;
  /// Every slot that was ever used, in slot order.
  [[nodiscard]] std::vector<SlotReport> slots() const;
  /// Size of the founding cohort.
  [[nodiscard]] int expected() const;

 private:
  class Impl;
  explicit GroupInspector(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Removes every segment of this user in which nobody lives any more, and returns how many. Never touches a
/// living group or a file that is not a ronde segment. Creating a group does the same.
RONDE_EXPORT int removeStaleSegments();

}  // namespace ronde
