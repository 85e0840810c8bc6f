#pragma once

#include <algorithm>
#include <atomic>
#include <ronde/status.hpp>

#include "ipc/membership/liveness.hpp"
#include "ipc/membership/views.hpp"
#include "ipc/segment/segment.hpp"
#include "ipc/sync/turn.hpp"
#include "ipc/sync/wait.hpp"

namespace ronde::detail {

/// Who we are, in which segment, and whether we still may: what every protocol of one communicator needs.
/// Thread-safe.
class MemberContext {
 public:
  MemberContext(const Segment& segmentUsed, Member selfIs, Liveness& livenessUsed, WaitMode mode)
      : segment(segmentUsed), self(selfIs), liveness(livenessUsed), views(segmentUsed), mode_(mode) {}

  const Segment& segment;
  const Member self;
  Liveness& liveness;
  const Views views;

  /// ok, or why every call must end now: stopped, evicted.
  [[nodiscard]] Status standing() const noexcept {
    if (stopping_.load(std::memory_order_seq_cst)) return Status::stopped;
    return isOut() ? Status::evicted : Status::ok;
  }
  /// True once this process was removed: evicted, or it left (or its slot holds garbage). False while it joins.
  [[nodiscard]] bool isOut() const noexcept {
    const auto word = SlotWord::unpack(segment.slot(self.slot).word.load(std::memory_order_seq_cst));
    return word.incarnation != self.incarnation || (word.phase != Phase::active && word.phase != Phase::joining);
  }
  /// True while `member` is registered and not departed. SYNC: departure (the word changes before the view does).
  [[nodiscard]] bool isActive(Member member) const noexcept {
    const auto word = SlotWord::unpack(segment.slot(member.slot).word.load(std::memory_order_seq_cst));
    return word.incarnation == member.incarnation && word.phase == Phase::active;
  }

  void beginStopping() noexcept {
    stopping_.store(true, std::memory_order_seq_cst);
    segment.slot(self.slot).doorbell.wake();
  }
  [[nodiscard]] bool isStopping() const noexcept { return stopping_.load(std::memory_order_acquire); }

  /// Waits for this process's other threads. ok: taken.
  [[nodiscard]] Status takeTurn(Turn& turn, const Deadline& deadline) const {
    Status standingNow = Status::ok;
    const bool taken = turn.take(deadline, [&] { return (standingNow = standing()) == Status::ok; });
    if (taken) return Status::ok;
    return standingNow != Status::ok ? standingNow : Status::timeout;
  }

  /// Spinning pays while every member can have a core of its own. Members may be bound to different ones, so the
  /// cores of all are counted, and then those who have nothing but our cores. Both must suffice; that is necessary
  /// for a core each and, for the bindings people use, enough. The sets are those of the joining threads.
  void noteView(const ViewData& view) noexcept {
    const CpuSet ours = coresOf(self.slot);
    CpuSet all;
    int rivals = 0;
    for (const ViewEntry& member : view.members) {
      const CpuSet theirs = coresOf(member.slot);
      all.add(theirs);
      if (ours.includes(theirs)) ++rivals;
    }
    const bool enough = static_cast<int>(view.members.size()) <= all.count() && rivals <= ours.count();
    spinPays_.store(enough, std::memory_order_relaxed);
  }
  [[nodiscard]] WaitPlan waitPlan() const noexcept {
    WaitPlan plan;
    plan.mode = mode_;
    plan.spinFirst = spinPays_.load(std::memory_order_relaxed);
    return plan;
  }

  /// For locks that the service thread needs: it is to beat and to look around meanwhile.
  [[nodiscard]] Deadline briefly() const noexcept {
    return Deadline::in(
        std::min<std::chrono::nanoseconds>(std::chrono::milliseconds(20), segment.heartbeatInterval() / 4));
  }

  [[nodiscard]] WakeWord& doorbell() const noexcept { return segment.slot(self.slot).doorbell; }
  /// Wakes the blocked calls of the member in `slot`. After a publication and a read-modify-write (WakeWord).
  void ring(std::uint32_t slot) const noexcept { segment.slot(slot).doorbell.wake(); }
  /// Wakes every call and every service thread of the group, after a view change.
  void ringAll() const noexcept {
    for (std::uint32_t slot = 0; slot < segment.geometry().capacity; ++slot) {
      SlotTableState& table = segment.slot(slot);
      if (SlotWord::unpack(table.word.load(std::memory_order_relaxed)).phase == Phase::free) continue;
      table.doorbell.wake();
      table.service.wake();
    }
  }

  /// Waits for `ready()` or the end of our standing. ok: ready. Otherwise stopped, evicted or timeout.
  template <class Ready>
  [[nodiscard]] Status wait(const Deadline& deadline, Ready ready) const {
    Status standingNow = Status::ok;
    bool isReady = false;
    waitUntil(doorbell(), waitPlan(), deadline, [&] {
      isReady = ready();
      if (isReady) return true;
      standingNow = standing();
      return standingNow != Status::ok;
    });
    if (isReady) return Status::ok;
    return standingNow != Status::ok ? standingNow : Status::timeout;
  }

 private:
  [[nodiscard]] CpuSet coresOf(std::uint32_t slot) const noexcept {
    CpuSet cores;
    loadShared(&cores, &segment.slot(slot).cpus, sizeof(cores));
    return cores;
  }

  WaitMode mode_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> spinPays_{false};
};

/// The refusal that a failed lock attempt amounts to.
[[nodiscard]] inline Status refusalOf(LockResult result) noexcept {
  return result == LockResult::ownerStopped ? Status::peerStopped : Status::timeout;
}

}  // namespace ronde::detail
