#pragma once

#include <memory>

#include "ipc/membership/context.hpp"
#include "ipc/membership/roster.hpp"

namespace ronde::detail {

/// Reusable barrier: rounds of exactly N arrivals, or of all members of a view. For meeting; it carries no data.
///
/// Arrivals are counted anew under a lock from one word per slot, so no death can spoil a count. A round ends by
/// one store (`round`), and all participants of a failed round find the same verdict: nobody passes while another
/// fails. The arrival of a member that departs is taken back by the clean-up. Thread-safe; threads of one process
/// arrive one after the other.
class Barrier {
 public:
  Barrier(const MemberContext& context, Roster& roster) : context_(context), roster_(roster) {}

  /// Arrives and waits. n = 0: all members of the current view. Ids in the outcome are those of the view at the
  /// call.
  [[nodiscard]] Outcome synchronize(std::uint32_t n, const Deadline& deadline);

  /// Clean-up after a view change: takes back the arrivals of departed members, and fails the round if it cannot
  /// be completed any more. Idempotent; any member may run it. False if the lock was not to be had.
  static bool onViewChange(const MemberContext& context, const ViewData& view);

 private:
  /// ok: arrived, `round` is the number to wait for. staleView: not a member of the round in progress, wait for
  /// its end; or the view has changed. mismatch: failed the round. peerFailed: N cannot be reached; not arrived.
  struct Arrival {
    Status status = Status::ok;
    std::uint64_t round = 0;
  };
  [[nodiscard]] Arrival arrive(std::uint32_t n, const ViewData& view, const Deadline& deadline) const;
  /// At the deadline: fails the round for everybody, unless it ended just now.
  void giveUp(std::uint64_t round) const;
  /// Who left since the view that the program looked at last; ids of that view.
  void insertDeparted(const ViewData& view, IdSet& ids) const;
  [[nodiscard]] Outcome outcomeOf(std::uint64_t round, const ViewData& view) const;

  const MemberContext& context_;
  Roster& roster_;
  Turn turn_;
  std::shared_ptr<const ViewData> view_;  ///< the newest that was read; protected by turn_
};

}  // namespace ronde::detail
