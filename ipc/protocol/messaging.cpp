#include "ipc/protocol/messaging.hpp"

#include <algorithm>

namespace ronde::detail {
namespace {

/// Waits for room end at least this often, to notice a stop or the death of the addressee.
constexpr std::chrono::milliseconds kRoomSlice{10};

/// The mailbox was full, and its owner is most likely draining it right now. To look for each single cell that
/// comes free would take the owner's cache line from it each time (measured: both sides at a third of their
/// speed), so look rarely for a while, until half is free.
void pauseWhileDrained(const Mailbox& mailbox) {
  constexpr int kLooks = 32;
  constexpr int kRelaxPerLook = 64;  // about a microsecond
  for (int look = 0; look < kLooks && !mailbox.looksHalfEmpty(); ++look) {
    for (int i = 0; i < kRelaxPerLook; ++i) cpuRelax();
  }
}

}  // namespace

template <class Attempt>
Status Messaging::pushWithRoom(const Mailbox& mailbox, CellForm form, std::size_t bytes, FullPolicy policy,
                               const Deadline& deadline, Attempt attempt) {
  for (;;) {
    switch (attempt()) {
      case PushResult::pushed: return Status::ok;
      case PushResult::refused: {
        const Status standing = context_.standing();
        return standing != Status::ok ? standing : Status::staleView;
      }
      case PushResult::noLock: {
        const Status standing = context_.standing();
        return standing != Status::ok ? standing : Status::timeout;
      }
      case PushResult::ownerStopped: return Status::peerStopped;
      case PushResult::corrupt: return Status::mailboxCorrupt;
      case PushResult::full: break;
    }
    if (policy != FullPolicy::block || deadline.passed()) return Status::full;
    WaitPlan plan = context_.waitPlan();
    if (plan.spinFirst && plan.mode != WaitMode::block) pauseWhileDrained(mailbox);
    plan.slice = kRoomSlice;
    Status standing = Status::ok;
    waitUntil(mailbox.room(), plan, deadline, [&] {
      standing = context_.standing();
      return standing != Status::ok || mailbox.looksRoomy(form, bytes) || !context_.isActive(mailbox.owner());
    });
    if (standing != Status::ok) return standing;
  }
}

Status Messaging::sendTo(std::span<const std::byte> payload, LamportTime stamp, Member to, FullPolicy policy,
                         const Deadline& deadline, bool& dropped) {
  Envelope envelope{context_.self, Kind::sendTo, stamp, context_.views.number(), 0};
  Status status = Status::ok;
  if (payload.size() <= kCarBytes) {
    const Mailbox mailbox = mailboxOf(to);
    status = pushWithRoom(mailbox, Mailbox::formOf(payload.size()), payload.size(), policy, deadline,
                          [&] { return mailbox.pushWhole(envelope, payload, deadline); });
  } else {
    envelope.sequence = nextSequence();
    status = to == context_.self ? sendToOurselves(envelope, payload, policy, deadline)
                                 : sendTrain(envelope, payload, to, policy, deadline);
  }
  if (status != Status::full) return status;
  mailboxOf(to).countRefused();
  if (policy != FullPolicy::drop) return status;
  dropped_.fetch_add(1, std::memory_order_relaxed);
  dropped = true;
  return Status::ok;
}

Status Messaging::sendTrain(const Envelope& envelope, std::span<const std::byte> payload, Member to,
                            FullPolicy policy, const Deadline& deadline) {
  Status status = context_.takeTurn(trains_[to.slot], deadline);
  if (status != Status::ok) return status;
  const TurnGuard guard(trains_[to.slot]);
  const Mailbox mailbox = mailboxOf(to);
  for (std::size_t offset = 0; offset < payload.size() && status == Status::ok; offset += kCarBytes) {
    const auto part = payload.subspan(offset, std::min(kCarBytes, payload.size() - offset));
    const TrainPart where{static_cast<std::uint32_t>(payload.size()), static_cast<std::uint32_t>(offset), 0};
    // Once begun, a train waits for room in any case: it may be longer than the mailbox.
    status = pushWithRoom(mailbox, CellForm::car, part.size(), offset == 0 ? policy : FullPolicy::block, deadline,
                          [&] { return mailbox.pushCar(envelope, part, where, deadline); });
  }
  return status;
}

Status Messaging::sendToOurselves(const Envelope& envelope, std::span<const std::byte> payload, FullPolicy policy,
                                  const Deadline& deadline) {
  const auto length = static_cast<std::uint32_t>(payload.size());
  Status refusal = Status::ok;
  const auto block = allocateBlock(length, policy, deadline, refusal);
  if (!block) return refusal;
  outbox_.commit(*block, envelope, payload, {&context_.self, 1});
  const Status status = pushReference(envelope, *block, length, context_.self, policy, deadline);
  if (status != Status::ok) block->settle(context_.self.slot, Share::withdrawn);
  finish(*block);
  return status;
}

Outcome Messaging::sendToAll(std::span<const std::byte> payload, LamportTime stamp, Kind kind, FullPolicy policy,
                             const Deadline& deadline) {
  Outcome outcome;
  outcome.status = context_.takeTurn(broadcasts_, deadline);
  if (!outcome.ok()) return outcome;
  const TurnGuard guard(broadcasts_);
  if (!view_ || view_->number != context_.views.number()) view_ = roster_.current();
  if (!view_) {
    outcome.status = Status::segmentCorrupt;
    return outcome;
  }
  const ViewData& view = *view_;
  outcome.view = view.number;

  targets_.clear();
  addressees_.clear();
  waiting_.clear();
  for (std::size_t id = 0; id < view.members.size(); ++id) {
    const Member member = view.memberAt(id);
    if (member == context_.self && kind != Kind::publish) continue;
    targets_.push_back({member, static_cast<MemberId>(id)});
    addressees_.push_back(member);
  }
  if (targets_.empty()) return outcome;

  const auto length = static_cast<std::uint32_t>(payload.size());
  const auto block = allocateBlock(length, policy, deadline, outcome.status);
  if (!block) {
    insertSlotsInTheWay(view, outcome.missing);
    if (outcome.status == Status::full && policy == FullPolicy::drop) {
      outcome.status = Status::ok;
      dropped_.fetch_add(targets_.size(), std::memory_order_relaxed);
    }
    return outcome;
  }
  const Envelope envelope{context_.self, kind, stamp, view.number, nextSequence()};
  outbox_.commit(*block, envelope, payload, addressees_);

  const bool byValue = payload.size() <= kInlineBroadcast;
  const auto deliver = [&](const Target& target, FullPolicy how) {
    const Mailbox mailbox = mailboxOf(target.member);
    const Status status = byValue ? pushWithRoom(mailbox, Mailbox::formOf(length), length, how, deadline,
                                                 [&] { return mailbox.pushWhole(envelope, payload, deadline); })
                                  : pushReference(envelope, *block, length, target.member, how, deadline);
    if (status == Status::ok) {
      // Whoever finishes this broadcast for us after a death up to here hands it over once more; receivers know.
      if (byValue) block->settle(target.member.slot, Share::taken);
      outcome.acknowledged.insert(target.id);
    }
    return status;
  };
  const auto giveUp = [&](const Target& target, Status why) {
    // Once we are out, the others deliver it for us, to all or (not committed in time) to none.
    if (!context_.isActive(context_.self)) {
      outcome.missing.insert(target.id);
      outcome.status = Status::evicted;
      return;
    }
    block->settle(target.member.slot, Share::withdrawn);
    if (why == Status::full) mailboxOf(target.member).countRefused();
    if (why == Status::staleView) {
      outcome.failed.insert(target.id);
    } else if (why == Status::full && policy == FullPolicy::drop) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
    } else {
      outcome.missing.insert(target.id);
      outcome.status = why;
    }
  };
  // First everybody who has room, so that a full mailbox delays nobody else's copy; then the others.
  for (const Target& target : targets_) {
    const Status status = deliver(target, FullPolicy::fail);
    if (status == Status::full && policy == FullPolicy::block) {
      waiting_.push_back(target);
    } else if (status != Status::ok) {
      giveUp(target, status);
    }
  }
  for (const Target& target : waiting_) {
    const Status status = deliver(target, FullPolicy::block);
    if (status != Status::ok) giveUp(target, status);
  }
  finish(*block);
  return outcome;
}

void Messaging::insertSlotsInTheWay(const ViewData& view, IdSet& ids) {
  for (const std::uint32_t slot : outbox_.slotsInTheWay()) {
    for (std::size_t id = 0; id < view.members.size(); ++id) {
      if (view.members[id].slot == slot) ids.insert(static_cast<MemberId>(id));
    }
  }
}

std::optional<Block> Messaging::allocateBlock(std::uint32_t length, FullPolicy policy, const Deadline& deadline,
                                              Status& refusal) {
  auto block = outbox_.allocate(length);
  if (block) return block;
  if (policy != FullPolicy::block) {
    refusal = Status::full;
    return block;
  }
  // Addressees ring our doorbell when they give a block back.
  refusal = context_.wait(deadline, [&] {
    block = outbox_.allocate(length);
    return block.has_value();
  });
  if (refusal == Status::timeout) refusal = Status::full;
  return block;
}

Status Messaging::pushReference(const Envelope& envelope, const Block& block, std::uint32_t length, Member to,
                                FullPolicy policy, const Deadline& deadline) {
  const Mailbox mailbox = mailboxOf(to);
  return pushWithRoom(mailbox, CellForm::reference, 0, policy, deadline,
                      [&] { return mailbox.pushReference(envelope, block.position(), length, deadline); });
}

Status Messaging::pushSync(const Envelope& envelope, const Block& block, std::span<const std::byte> payload,
                           Member to, FullPolicy policy, const Deadline& deadline) {
  // Not counted here: it counts as sent when it was taken.
  const Mailbox mailbox(context_.segment, to, context_.self, context_.liveness);
  return pushWithRoom(mailbox, CellForm::reference, 0, policy, deadline, [&] {
    if (payload.size() <= kCopiedSync) {
      const PushResult copied = mailbox.pushCopy(envelope, block.position(), payload, deadline);
      if (copied != PushResult::full) return copied;
    }
    return mailbox.pushReference(envelope, block.position(), static_cast<std::uint32_t>(payload.size()), deadline);
  });
}

std::uint64_t Messaging::pushed() const noexcept {
  std::uint64_t sum = 0;
  for (const Word64& count : pushed_) sum += count.load(std::memory_order_relaxed);
  return sum;
}

bool Messaging::isGoneForGood(Member member) const {
  const SlotTableState& table = context_.segment.slot(member.slot);
  const auto word = SlotWord::unpack(table.word.load(std::memory_order_seq_cst));
  if (word.incarnation != member.incarnation || word.phase == Phase::free) return true;
  // What it had committed is adopted by the clean-up of the view that it is missing in, and then delivered.
  if (word.phase != Phase::departed ||
      context_.segment.control().cleanedView.load(std::memory_order_seq_cst) < table.departedView.load()) {
    return false;
  }
  bool onItsWay = false;
  forEachBlock(context_.segment, member.slot, [&](const Block& block) {
    onItsWay = onItsWay || (block.phase() == BlockPhase::adopted && block.isOwedTo(context_.self.slot));
  });
  return !onItsWay;
}

Status Messaging::receive(const Wanted& wanted, Sink& sink, const Deadline& deadline, Taken& taken) {
  Status status = Status::ok;
  try {
    status = tryReceiving(wanted, sink, deadline, taken);
  } catch (...) {  // no memory, or a buffer that is too small
    inbox_.leave(sink);
    throw;
  }
  if (status != Status::ok) inbox_.leave(sink);
  return status;
}

Status Messaging::tryReceiving(const Wanted& wanted, Sink& sink, const Deadline& deadline, Taken& taken) {
  for (bool again = false;; again = true) {
    // Asked before looking, so that what came before the departure is found by the look.
    const bool gone = !wanted.anything && isGoneForGood(wanted.from);
    const TakeStatus result = inbox_.take(wanted, sink, taken);
    if (result == TakeStatus::corrupt) return Status::mailboxCorrupt;
    if (result == TakeStatus::out) {
      const Status standing = context_.standing();
      // ok: the slot word was damaged for a moment. A message is lost by that, so it is rejoin() all the same.
      return standing == Status::ok ? Status::evicted : standing;
    }
    if (result == TakeStatus::taken) {
      // What it waits for, its share, was written and is read in the one order of all seq_cst operations
      // (WakeWord).
      if (taken.byReference) context_.ring(taken.envelope.sender.slot);
      return Status::ok;
    }
    if (gone) {  // for us; of one that is out, nobody waited for the mail to be delivered
      const Status standing = context_.standing();
      return standing == Status::ok ? Status::peerFailed : standing;
    }
    if (again && deadline.passed()) return Status::timeout;  // also under a flood of what is not wanted
    const Status status = context_.wait(deadline, [&] {
      return inbox_.hasNews(taken.lookedUpTo) || (!wanted.anything && isGoneForGood(wanted.from));
    });
    if (status != Status::ok) return status;
  }
}

}  // namespace ronde::detail
