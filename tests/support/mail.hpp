#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ipc/mailbox/mailbox.hpp"
#include "tests/support/bare_group.hpp"
#include "tests/support/sinks.hpp"

namespace ronde::testing {

using Bytes = std::vector<std::byte>;

inline Bytes bytesOf(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline detail::Envelope envelopeOf(Member sender, std::uint64_t sequence, Kind kind = Kind::sendTo) {
  return {sender, kind, 1000 + sequence, 1, sequence};
}

inline detail::Mailbox mailboxOf(const BareMember& owner, BareMember& pusher) {
  return {*pusher.segment, owner.self, pusher.self, pusher.liveness};
}

inline detail::PushResult push(BareMember& from, const BareMember& to, std::uint64_t sequence,
                               const Bytes& payload, Kind kind = Kind::sendTo) {
  return mailboxOf(to, from).pushWhole(envelopeOf(from.self, sequence, kind), payload, soon());
}

/// Part `index` of a train, cut at `partBytes`.
inline detail::PushResult pushPart(BareMember& from, const BareMember& to, std::uint64_t sequence,
                                   const Bytes& payload, std::size_t index,
                                   std::size_t partBytes = detail::kCarBytes) {
  const std::size_t offset = index * partBytes;
  const auto part = std::span(payload).subspan(offset, std::min(partBytes, payload.size() - offset));
  const detail::TrainPart where{static_cast<std::uint32_t>(payload.size()), static_cast<std::uint32_t>(offset), 0};
  return mailboxOf(to, from).pushCar(envelopeOf(from.self, sequence), part, where, soon());
}

/// What a take() gave.
struct Received {
  detail::TakeStatus status = detail::TakeStatus::nothing;
  detail::Envelope envelope;
  Bytes bytes;
  bool byReference = false;
  std::uint64_t lookedUpTo = 0;

  [[nodiscard]] bool isMessage() const { return status == detail::TakeStatus::taken; }
};

inline Received take(BareMember& owner, const detail::Wanted& wanted = {}) {
  ByteSink sink;
  detail::Taken taken;
  const detail::TakeStatus status = owner.inbox.take(wanted, sink, taken);
  if (status != detail::TakeStatus::taken) owner.inbox.leave(sink);
  return {status, taken.envelope, std::move(sink.content), taken.byReference, taken.lookedUpTo};
}

/// A message in `from`'s outbox for `addressees`, committed.
inline detail::Block commitBlock(BareMember& from, std::uint64_t sequence, const Bytes& payload,
                                 std::span<const Member> addressees, Kind kind = Kind::broadcast) {
  const auto block = from.outbox.allocate(static_cast<std::uint32_t>(payload.size()));
  if (!block) throw std::logic_error("the outbox is full");
  from.outbox.commit(*block, envelopeOf(from.self, sequence, kind), payload, addressees);
  return *block;
}

inline detail::PushResult pushReference(BareMember& from, const BareMember& to, std::uint64_t sequence,
                                        const detail::Block& block, Kind kind = Kind::broadcast) {
  return mailboxOf(to, from).pushReference(envelopeOf(from.self, sequence, kind), block.position(),
                                           block.header().length, soon());
}

/// A record with a copy of `block`'s payload.
inline detail::PushResult pushCopy(BareMember& from, const BareMember& to, std::uint64_t sequence,
                                   const detail::Block& block, const Bytes& bytes) {
  return mailboxOf(to, from).pushCopy(envelopeOf(from.self, sequence, Kind::sendToSync), block.position(), bytes,
                                      soon());
}

}  // namespace ronde::testing
