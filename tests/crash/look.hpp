#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ronde/view.hpp>
#include <string>

#include "ipc/segment/segment.hpp"

namespace ronde::crash {

/// A look into a group's segment from outside, for the invariants that the public interface does not show.
class Look {
 public:
  /// Nothing if the group has no segment.
  [[nodiscard]] static std::optional<Look> at(const std::string& group);

  /// True once all that follows from departures is done: view, clean-up, deliveries.
  [[nodiscard]] bool isSettled() const;
  /// A lock that somebody holds, e.g. "mailbox 2", and who; empty if there is none.
  /// A dead holder's name stays in the lock until the next one needs it.
  [[nodiscard]] std::string heldLock() const;
  /// Slots in phase active.
  [[nodiscard]] int active() const;
  /// Slots that no newcomer could take: all but the free ones and those of joiners that died.
  [[nodiscard]] int taken() const;
  /// Slots of former members, and what keeps each of them; empty if there is none.
  [[nodiscard]] std::string departed() const;
  /// A member that waits for the token.
  [[nodiscard]] bool someoneWants() const;
  /// Arrivals at the barrier's round in progress.
  [[nodiscard]] int barrierArrivals() const;
  /// Messages in the mailbox of the member called `name`.
  [[nodiscard]] std::uint64_t pending(const char* name) const;
  /// When the process gave its last heartbeat, by std::chrono::steady_clock; 0 if it has no slot.
  [[nodiscard]] std::int64_t lastBeatNs(int pid) const;
  /// The member called `name` has committed a block that it has not handed over yet.
  [[nodiscard]] bool hasIntent(const char* name) const;
  /// Of everything that protocols decide by, without times and process ids.
  [[nodiscard]] std::uint64_t fingerprint() const;

 private:
  explicit Look(std::unique_ptr<detail::Segment> segment) : segment_(std::move(segment)) {}
  [[nodiscard]] std::optional<std::uint32_t> slotOf(const char* name) const;
  std::unique_ptr<detail::Segment> segment_;
};

}  // namespace ronde::crash
