#include "ipc/protocol/rendezvous.hpp"

namespace ronde::detail {

Rendezvous::Sent Rendezvous::sendToSync(std::span<const std::byte> payload, LamportTime stamp, Member to,
                                        Deadline deadline, const OnShare& onShare) {
  const auto view = roster_.current();
  if (!view) return {{Status::segmentCorrupt, 0, {}, {}, {}}, 0};
  if (!view->contains(to)) return {{Status::peerFailed, view->number, {}, {}, {}}, 0};
  std::vector<Addressee> addressees{{to, view->idOf(to), false}};
  return send(payload, stamp, Kind::sendToSync, view->number, addressees, deadline, onShare);
}

Rendezvous::Sent Rendezvous::broadcastSync(std::span<const std::byte> payload, LamportTime stamp,
                                           Deadline deadline, const OnShare& onShare) {
  const auto view = roster_.current();
  if (!view) return {{Status::segmentCorrupt, 0, {}, {}, {}}, 0};
  std::vector<Addressee> addressees;
  for (std::size_t id = 0; id < view->members.size(); ++id) {
    const Member member = view->memberAt(id);
    if (member != context_.self) addressees.push_back({member, static_cast<MemberId>(id), false});
  }
  return send(payload, stamp, Kind::broadcastSync, view->number, addressees, deadline, onShare);
}

Rendezvous::Sent Rendezvous::send(std::span<const std::byte> payload, LamportTime stamp, Kind kind,
                                  std::uint64_t view, std::vector<Addressee>& addressees, Deadline deadline,
                                  const OnShare& onShare) {
  Sent sent;
  sent.outcome.view = view;
  const auto length = static_cast<std::uint32_t>(payload.size());
  const auto block = messaging_.allocateBlock(length, FullPolicy::block, deadline, sent.outcome.status);
  if (!block) return sent;

  const Envelope envelope{context_.self, kind, stamp, view, messaging_.nextSequence()};
  std::vector<Member> members;
  for (const Addressee& addressee : addressees) members.push_back(addressee.member);
  outbox_.commit(*block, envelope, payload, members);

  Status status = Status::ok;
  for (Addressee& addressee : addressees) {
    const Status pushed = messaging_.pushReference(envelope, *block, length, addressee.member, deadline);
    if (pushed == Status::staleView) {
      block->settle(addressee.member.slot, Share::withdrawn);  // settleKnown() sees the departure
    } else if (pushed != Status::ok) {
      status = pushed;
      break;
    } else {
      ++sent.handedOver;
    }
  }
  block->setPhase(BlockPhase::handedOver);

  if (status == Status::ok) {
    status = context_.wait(deadline, [&] { return settleKnown(*block, addressees, sent, onShare); });
  }
  // Who has not claimed the message by now does not get it; who has, did.
  for (Addressee& addressee : addressees) {
    if (!addressee.settled) block->settle(addressee.member.slot, Share::withdrawn);
  }
  settleKnown(*block, addressees, sent, onShare);
  for (const Addressee& addressee : addressees) {
    if (addressee.settled) continue;
    sent.outcome.missing.insert(addressee.id);
    onShare(addressee.member, addressee.id, false);
  }
  if (!sent.outcome.missing.empty()) {
    sent.outcome.status = status == Status::full || status == Status::ok ? Status::timeout : status;
  } else if (status == Status::stopped || status == Status::evicted) {
    sent.outcome.status = sent.outcome.failed.empty() ? Status::ok : status;
  } else if (!sent.outcome.failed.empty()) {
    sent.outcome.status = Status::peerFailed;
  }
  return sent;
}

bool Rendezvous::settleKnown(const Block& block, std::vector<Addressee>& addressees, Sent& sent,
                             const OnShare& onShare) const {
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
      sent.outcome.acknowledged.insert(addressee.id);
      onShare(addressee.member, addressee.id, true);
    } else if (departed) {
      addressee.settled = true;
      sent.outcome.failed.insert(addressee.id);
      onShare(addressee.member, addressee.id, false);
    } else {
      all = false;
    }
  }
  return all;
}

}  // namespace ronde::detail
