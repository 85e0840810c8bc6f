#include "ipc/protocol/rendezvous.hpp"

namespace ronde::detail {

Outcome Rendezvous::sendToSync(std::span<const std::byte> payload, LamportTime stamp, Member to,
                               const Deadline& deadline, const OnShare& onShare) {
  const auto view = roster_.current();
  if (!view) return {Status::segmentCorrupt, 0, {}, {}, {}};
  if (!view->contains(to)) return {Status::peerFailed, view->number, {}, {}, {}};
  Memory memory;
  Addressees addressees(&memory.resource);
  addressees.push_back({to, view->idOf(to)});
  return send(payload, stamp, Kind::sendToSync, view->number, addressees, deadline, onShare);
}

Outcome Rendezvous::broadcastSync(std::span<const std::byte> payload, LamportTime stamp, const Deadline& deadline,
                                  const OnShare& onShare) {
  const auto view = roster_.current();
  if (!view) return {Status::segmentCorrupt, 0, {}, {}, {}};
  Memory memory;
  Addressees addressees(&memory.resource);
  addressees.reserve(view->members.size());
  for (std::size_t id = 0; id < view->members.size(); ++id) {
    const Member member = view->memberAt(id);
    if (member != context_.self) addressees.push_back({member, static_cast<MemberId>(id)});
  }
  return send(payload, stamp, Kind::broadcastSync, view->number, addressees, deadline, onShare);
}

Outcome Rendezvous::send(std::span<const std::byte> payload, LamportTime stamp, Kind kind, std::uint64_t view,
                         Addressees& addressees, const Deadline& deadline, const OnShare& onShare) {
  Outcome outcome;
  outcome.view = view;
  std::pmr::vector<Member> members(addressees.get_allocator().resource());
  members.reserve(addressees.size());
  for (const Addressee& addressee : addressees) members.push_back(addressee.member);
  const auto length = static_cast<std::uint32_t>(payload.size());
  const auto block = messaging_.allocateBlock(length, FullPolicy::block, deadline, outcome.status);
  if (!block) {
    if (const auto now = roster_.current(); now && now->number == view) {
      messaging_.insertSlotsInTheWay(*now, outcome.missing);
    }
    return outcome;
  }
  const Envelope envelope{context_.self, kind, stamp, view, messaging_.nextSequence()};
  outbox_.commit(*block, envelope, payload, members);

  const Status pushed = push(*block, envelope, payload, addressees, deadline);
  // Who has not claimed the message in the end does not get it; who has, did. Once we are out, a broadcast is no
  // longer ours to withdraw: the others deliver it.
  const auto isLeftToOthers = [&] { return kind == Kind::broadcastSync && !context_.isActive(context_.self); };
  // Whom it did not reach at all: now, since of a block that counts as handed over the others deliver nothing, and
  // our slot would be owed to somebody for ever if we died before we withdraw it.
  for (Addressee& addressee : addressees) {
    addressee.withdrawn =
        !addressee.reached && !isLeftToOthers() && block->settle(addressee.member.slot, Share::withdrawn);
  }
  messaging_.finish(*block);
  Status status = pushed;
  if (pushed != Status::stopped && pushed != Status::evicted) {
    const Status waited =
        context_.wait(deadline, [&] { return settleKnown(*block, addressees, outcome, onShare); });
    if (status == Status::ok) status = waited;
  }
  settleKnown(*block, addressees, outcome, onShare);
  const bool leftToOthers = isLeftToOthers();
  for (Addressee& addressee : addressees) {
    if (addressee.settled) continue;
    if (!addressee.withdrawn && !leftToOthers && !block->settle(addressee.member.slot, Share::withdrawn)) continue;
    addressee.settled = true;
    outcome.missing.insert(addressee.id);
    onShare(addressee.member, addressee.id, false);
  }
  settleKnown(*block, addressees, outcome, onShare);
  if (outcome.status == Status::mailboxCorrupt) return outcome;
  if (!outcome.missing.empty()) {
    outcome.status = status == Status::full || status == Status::ok ? Status::timeout : status;
  } else if (!outcome.failed.empty()) {
    outcome.status = status == Status::stopped || status == Status::evicted ? status : Status::peerFailed;
  }
  return outcome;
}

Status Rendezvous::push(const Block& block, const Envelope& envelope, std::span<const std::byte> payload,
                        Addressees& addressees, const Deadline& deadline) {
  Status trouble = Status::ok;
  // First everybody who has room, so that a full mailbox delays nobody else's copy; then the others.
  for (const FullPolicy policy : {FullPolicy::fail, FullPolicy::block}) {
    for (Addressee& addressee : addressees) {
      if (addressee.tried) continue;
      const Status status = messaging_.pushSync(envelope, block, payload, addressee.member, policy, deadline);
      if (status == Status::stopped || status == Status::evicted) return status;
      // A departure (staleView) is seen by settleKnown(), as is what became of a corrupt mailbox.
      if (status == Status::mailboxCorrupt) block.settle(addressee.member.slot, Share::withdrawn);
      addressee.tried = status != Status::full;
      addressee.reached = status == Status::ok || status == Status::staleView || status == Status::mailboxCorrupt;
      if (status == Status::timeout || status == Status::peerStopped) trouble = status;
    }
  }
  return trouble;
}

bool Rendezvous::settleKnown(const Block& block, Addressees& addressees, Outcome& outcome,
                             const OnShare& onShare) {
  bool all = true;
  for (Addressee& addressee : addressees) {
    if (addressee.settled) continue;
    // Departure first: an addressee that claims it and departs right then has taken it.
    const bool departed = !context_.isActive(addressee.member);
    Share share = block.share(addressee.member.slot);
    if (departed && share == Share::owed) {
      share = block.settle(addressee.member.slot, Share::withdrawn) ? Share::withdrawn
                                                                    : block.share(addressee.member.slot);
    }
    if (share == Share::claimed || share == Share::taken) {
      addressee.settled = true;
      outcome.acknowledged.insert(addressee.id);
      acknowledged_.fetch_add(1, std::memory_order_relaxed);
      onShare(addressee.member, addressee.id, true);
    } else if (departed) {
      addressee.settled = true;
      outcome.failed.insert(addressee.id);
      onShare(addressee.member, addressee.id, false);
    } else if (share == Share::withdrawn && !addressee.withdrawn) {
      // By the addressee, which had to throw its mail away.
      addressee.settled = true;
      outcome.missing.insert(addressee.id);
      outcome.status = Status::mailboxCorrupt;
      onShare(addressee.member, addressee.id, false);
    } else if (!addressee.withdrawn) {
      all = false;
    }
  }
  return all;
}

}  // namespace ronde::detail
