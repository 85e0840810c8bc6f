#include "ipc/protocol/barrier.hpp"

#include <algorithm>
#include <array>
#include <bitset>

#include "ipc/sync/prefetch.hpp"

namespace ronde::detail {
namespace {

using Slots = std::bitset<kMaxMembers>;

constexpr std::chrono::milliseconds kGiveUpLimit{100};
/// Beyond its deadline a call looks at a changed view so often, since it may be the one that completes the round.
constexpr int kLooks = 8;
/// Instead of a round to wait for: it has always ended.
constexpr std::uint64_t kLookAgain = 0;
/// A verdict holds the round's number beside the reason.
constexpr std::uint64_t kRoundLimit = std::uint64_t{1} << 56;

/// Why a round failed. The word lies in the segment: a reason that no member writes there must not reach the
/// program.
Status reasonOf(std::uint64_t verdict) {
  const auto why = static_cast<Status>(verdict & 0xff);
  const bool isOneOfOurs = why == Status::timeout || why == Status::peerFailed || why == Status::mismatch;
  return isOneOfOurs ? why : Status::segmentCorrupt;
}

/// The barrier's state while its lock is held. The round in progress is `round` + 1; it is open once somebody has
/// arrived. Every step leaves a state from which the next holder can go on.
class OpenState {
 public:
  OpenState(const MemberContext& context, const Deadline& deadline)
      : context_(context), state_(context.segment.control().barrier) {
    // Comes together with the lock's line, rather than after it.
    fetchForWriting(&state_.arrived[context.self.slot]);
    const LockResult result = state_.lock.lock(context.self, context.liveness, deadline);
    locked_ = holdsLock(result);
    if (!locked_) refusal_ = refusalOf(result);
    if (result == LockResult::ownerDied) repair();
  }
  OpenState(const OpenState&) = delete;
  OpenState& operator=(const OpenState&) = delete;
  ~OpenState() {
    if (locked_) state_.lock.unlock();
    // Nothing is woken under the lock. The unlock is the read-modify-write that WakeWord asks for.
    for (std::uint32_t slot = 0; slot < capacity() && toWake_.any(); ++slot) {
      if (toWake_.test(slot)) context_.ring(slot);
    }
  }

  [[nodiscard]] bool isLocked() const { return locked_; }
  [[nodiscard]] Status refusal() const { return refusal_; }
  [[nodiscard]] BarrierState& state() const { return state_; }
  [[nodiscard]] std::uint64_t round() const { return state_.round.load(std::memory_order_relaxed) + 1; }

  [[nodiscard]] bool hasArrived(std::uint32_t slot) const { return hasArrived(slot, round()); }
  [[nodiscard]] std::uint32_t arrivals() const {
    const std::uint64_t now = round();
    std::uint32_t count = 0;
    for (std::uint32_t slot = 0; slot < capacity(); ++slot) {
      if (hasArrived(slot, now)) ++count;
    }
    return count;
  }
  [[nodiscard]] bool belongsToRound(std::uint32_t slot) const {
    if (state_.everybody == 0) return phaseOf(slot) == Phase::active;
    const std::uint64_t joined = context_.segment.slot(slot).joinedView.load(std::memory_order_acquire);
    return phaseOf(slot) == Phase::active && joined != 0 && joined <= state_.startView;
  }

  [[nodiscard]] std::uint32_t livingOfRound() const {
    std::uint32_t count = 0;
    for (std::uint32_t slot = 0; slot < capacity(); ++slot) count += belongsToRound(slot) ? 1 : 0;
    return count;
  }
  [[nodiscard]] std::uint32_t living() const {
    std::uint32_t count = 0;
    for (std::uint32_t slot = 0; slot < capacity(); ++slot) count += phaseOf(slot) == Phase::active ? 1 : 0;
    return count;
  }

  /// Takes back the arrivals of departed members, and fails the round if that made it impossible. Returns the
  /// arrivals at the round in progress.
  std::uint32_t settleDepartures(const ViewData& view) {
    const std::uint64_t now = round();
    std::uint32_t count = 0;
    for (std::uint32_t slot = 0; slot < capacity(); ++slot) {
      if (state_.arrived[slot] == 0) continue;
      if (phaseOf(slot) != Phase::active) {
        state_.arrived[slot] = 0;  // or the next member there would have arrived
      } else if (state_.arrived[slot] == now) {
        ++count;
      }
    }
    if (count == 0 || view.number == state_.startView) return count;
    Slots gone;
    for (const DepartureEntry& departure : view.departures) {
      if (departure.view > state_.startView && departure.slot < kMaxMembers) gone.set(departure.slot);
    }
    if (gone.none() || livingOfRound() >= state_.needed) return count;
    fail(Status::peerFailed, gone);
    return 0;
  }

  void complete() {
    noteWake();
    state_.round.store(round(), std::memory_order_seq_cst);  // THE end of the round
  }

  void fail(Status why, const Slots& concerned) {
    BarrierFailureEntry& entry = state_.failures[round() % kBarrierFailures];
    entry.round = round();
    entry.startView = state_.startView;
    entry.failView = context_.views.number();
    std::fill(std::begin(entry.slots), std::end(entry.slots), 0);
    for (std::uint32_t slot = 0; slot < capacity(); ++slot) {
      if (concerned.test(slot)) entry.slots[slot / 64] |= 1ULL << (slot % 64);
    }
    for (std::uint32_t slot = 0; slot < capacity(); ++slot) {
      if (state_.arrived[slot] == round()) {
        state_.verdict[slot] = (round() << 8) | static_cast<std::uint64_t>(why);
      }
    }
    complete();
  }

 private:
  [[nodiscard]] bool hasArrived(std::uint32_t slot, std::uint64_t round) const {
    return state_.arrived[slot] == round && phaseOf(slot) == Phase::active;
  }
  [[nodiscard]] std::uint32_t capacity() const { return context_.segment.geometry().capacity; }
  [[nodiscard]] Phase phaseOf(std::uint32_t slot) const {
    return SlotWord::unpack(context_.segment.slot(slot).word.load(std::memory_order_seq_cst)).phase;
  }
  /// A holder that died while failing a round may have written some verdicts: without its last store they do not
  /// count. One that died between the last arrival and the end of the round leaves the end to us.
  void repair() {
    for (std::uint32_t slot = 0; slot < capacity(); ++slot) {
      if (state_.verdict[slot] >> 8 == round()) state_.verdict[slot] = 0;
    }
    const std::uint32_t count = arrivals();
    if (count > 0 && count >= state_.needed) complete();
  }
  void noteWake() {
    const std::uint64_t now = round();
    for (std::uint32_t slot = 0; slot < capacity(); ++slot) {
      if (state_.arrived[slot] == now && slot != context_.self.slot) toWake_.set(slot);
    }
  }

  const MemberContext& context_;
  BarrierState& state_;
  bool locked_ = false;
  Status refusal_ = Status::ok;
  Slots toWake_;
};

}  // namespace

Outcome Barrier::synchronize(std::uint32_t n, const Deadline& deadline) {
  Outcome outcome;
  outcome.status = context_.takeTurn(turn_, deadline);
  if (!outcome.ok()) return outcome;
  const TurnGuard guard(turn_);
  const Word64& finished = context_.segment.control().barrier.round;
  int looks = 0;
  for (;;) {
    if (!view_ || view_->number != context_.views.number()) view_ = roster_.current();
    if (!view_) {
      outcome.status = Status::segmentCorrupt;
      return outcome;
    }
    outcome.view = view_->number;
    const Arrival arrival = arrive(n, *view_, deadline);
    if (arrival.status != Status::ok && arrival.status != Status::staleView) {
      outcome.status = arrival.status;
      if (arrival.status == Status::peerFailed) {
        outcome.view = roster_.adoptedNumber();
        insertDeparted(*view_, outcome.failed);
      }
      return outcome;
    }
    outcome.status =
        context_.wait(deadline, [&] { return finished.load(std::memory_order_seq_cst) >= arrival.round; });
    if (outcome.status == Status::stopped || outcome.status == Status::evicted) return outcome;
    if (arrival.status == Status::staleView) {
      if (outcome.status == Status::timeout) return outcome;
      const bool wasRoundOfOthers = arrival.round != kLookAgain;  // then no other one is begun beyond the deadline
      if (deadline.passed() && (wasRoundOfOthers || ++looks >= kLooks)) {
        outcome.status = Status::timeout;
        return outcome;
      }
      continue;
    }
    if (outcome.status == Status::timeout) giveUp(arrival.round);
    return outcomeOf(arrival.round, *view_);
  }
}

Barrier::Arrival Barrier::arrive(std::uint32_t n, const ViewData& view, const Deadline& deadline) const {
  OpenState open(context_, deadline);
  if (!open.isLocked()) return {open.refusal(), 0};
  const Status standing = context_.standing();
  if (standing != Status::ok) return {standing, 0};
  BarrierState& state = open.state();
  const auto self = context_.self.slot;
  const auto size = static_cast<std::uint32_t>(view.members.size());
  const std::uint64_t viewNow = context_.views.number();
  // The view may have moved on since the caller looked: look again.
  if (viewNow != view.number) return {Status::staleView, kLookAgain};
  // A round that a departure ended must not wait for the clean-up to say so: we may be of the next one.
  const std::uint32_t before = open.settleDepartures(view);
  const std::uint64_t round = open.round();
  if (round == 0 || round >= kRoundLimit) return {Status::segmentCorrupt, 0};
  // A death that the program has not seen yet made its N unreachable. Who has seen it may wait for a newcomer.
  if (viewNow != roster_.adoptedNumber() && n > open.living()) return {Status::peerFailed, 0};

  if (before == 0) {
    state.needed = n == 0 ? size : n;
    state.everybody = n == 0 ? 1 : 0;
    state.startView = viewNow;
  } else if (state.everybody != 0 && !open.belongsToRound(self)) {
    return {Status::staleView, round};  // who joined later waits for its end, whatever N it names
  } else if (n == 0 && state.everybody != 0) {
    // one of them
  } else if (state.needed != (n == 0 ? size : n)) {
    state.arrived[self] = round;
    open.fail(Status::mismatch, {});
    return {Status::ok, round};
  }
  state.arrived[self] = round;
  // Most arrivals need no second look. It counts an arrival that already stood once, and nobody who has been
  // removed since the first, ourselves included: then the departure settles the round.
  if (before + 1 >= state.needed && open.arrivals() >= state.needed) open.complete();
  return {Status::ok, round};
}

void Barrier::giveUp(std::uint64_t round) const {
  OpenState open(context_, Deadline::in(kGiveUpLimit));
  if (!open.isLocked() || open.round() != round) return;
  Slots missing;
  for (std::uint32_t slot = 0; slot < context_.segment.geometry().capacity; ++slot) {
    missing.set(slot, open.belongsToRound(slot) && !open.hasArrived(slot));
  }
  open.fail(Status::timeout, missing);
}

Outcome Barrier::outcomeOf(std::uint64_t round, const ViewData& view) const {
  Outcome outcome;
  outcome.view = view.number;
  const BarrierState& state = context_.segment.control().barrier;
  const std::uint64_t finished = state.round.load(std::memory_order_seq_cst);
  if (finished >= kRoundLimit) {
    outcome.status = Status::segmentCorrupt;
    return outcome;
  }
  if (finished < round) {
    outcome.status = Status::peerStopped;  // the lock was not to be had to take our arrival back: it stands
    return outcome;
  }
  // Nobody writes ours until we arrive again, so no lock. SYNC: barrier-round. Read once, garbage may be written
  // there.
  std::uint64_t verdict = 0;
  loadShared(&verdict, &state.verdict[context_.self.slot], sizeof(verdict));
  if (verdict >> 8 < round) {
    // Passed. Or we are out: then our arrival was taken back, and the verdict is for those who stayed.
    if (context_.isOut()) outcome.status = Status::evicted;
    return outcome;
  }
  outcome.status = verdict >> 8 == round ? reasonOf(verdict) : Status::segmentCorrupt;
  if (outcome.status == Status::segmentCorrupt) return outcome;

  const OpenState open(context_, Deadline::in(kGiveUpLimit));
  const BarrierFailureEntry& entry = state.failures[round % kBarrierFailures];
  if (!open.isLocked() || entry.round != round) return outcome;  // more than eight failures ago
  for (std::size_t id = 0; id < view.members.size(); ++id) {
    const std::uint32_t slot = view.members[id].slot;
    if ((entry.slots[slot / 64] >> (slot % 64) & 1) == 0) continue;
    (outcome.status == Status::timeout ? outcome.missing : outcome.failed).insert(static_cast<MemberId>(id));
  }
  return outcome;
}

void Barrier::insertDeparted(const ViewData& view, IdSet& ids) const {
  for (const DepartureEntry& departure : view.departures) {
    const MemberId id = roster_.idOf({departure.slot, departure.incarnation});
    if (departure.view > roster_.adoptedNumber() && id != kUnknownId) ids.insert(id);
  }
}

bool Barrier::onViewChange(const MemberContext& context, const ViewData& view) {
  // One attempt. Whoever waits here neither beats nor watches the owner, and keeps the clean-up from a member that
  // has watched it and may take the lock over.
  OpenState open(context, Deadline::passedAlready());
  if (!open.isLocked()) return false;
  open.settleDepartures(view);
  return true;
}

}  // namespace ronde::detail
