#include <optional>
#include <ronde/communicator.hpp>
#include <thread>
#include <utility>

#include "ipc/joined_member.hpp"
#include "ipc/segment/fork_guard.hpp"

namespace ronde {

using detail::Deadline;
using detail::JoinedMember;

namespace {

/// Receives into a Message's own buffer.
class MessageSink : public detail::Sink {
 public:
  explicit MessageSink(Message& message) : message_(message) {}
  std::byte* prepare(std::size_t length) override {
    message_.buffer().resize(length);
    return message_.buffer().data();
  }
  [[nodiscard]] std::span<const std::byte> bytes() const override { return message_.bytes(); }

 private:
  Message& message_;
};

/// Receives into the caller's buffer.
class SpanSink : public detail::Sink {
 public:
  explicit SpanSink(std::span<std::byte> buffer) : buffer_(buffer) {}
  std::byte* prepare(std::size_t length) override {
    if (length > buffer_.size()) {
      throw Error(Errc::bufferTooSmall, "receiveInto: the next message has " + std::to_string(length) +
                                            " bytes, the buffer " + std::to_string(buffer_.size()) +
                                            "; it stays in the mailbox");
    }
    length_ = length;
    return buffer_.data();
  }
  [[nodiscard]] std::span<const std::byte> bytes() const override { return buffer_.first(length_); }

 private:
  std::span<std::byte> buffer_;
  std::size_t length_ = 0;
};

std::unique_ptr<JoinedMember> join(const Options& options) {
  const Deadline deadline = Deadline::in(options.registrationTimeout);
  for (;;) {
    try {
      return std::make_unique<JoinedMember>(options, deadline);
    } catch (const detail::GroupIsDead&) {
      if (deadline.passed()) {
        throw Error(
            Errc::registrationTimeout,
            "group '" + options.group + "': its members are dead, but the kernel has not given back their locks");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

}  // namespace

class Communicator::Impl {
 public:
  explicit Impl(Options given) : options((given.validate(), std::move(given))), member(join(options)) {}

  void refuseForkedChild() const {
    if (detail::forkGeneration() == forkGeneration) return;
    throw Error(Errc::forked, "a forked child uses the communicator '" + options.name +
                                  "' of its parent; construct one in the child, under another name");
  }
  [[nodiscard]] Deadline deadlineOf(Timeout timeout) const {
    return Deadline::in(timeout == kDefaultTimeout ? Timeout(options.timeout) : timeout);
  }
  void refuseTooLarge(const char* call, std::size_t size) const {
    const std::uint64_t limit = member->context.segment.geometry().maxMessage;
    if (size <= limit) return;
    throw Error(Errc::messageTooLarge,
                std::string(call) + ": the message has " + std::to_string(size) + " bytes, the group's limit is " +
                    std::to_string(limit) +
                    "; found the group with a larger Options::maxMessage (RONDE_MAX_MESSAGE)");
  }
  [[nodiscard]] Member memberOf(const char* call, MemberId id) const {
    const Member found = member->roster.memberOf(id);
    if (found.incarnation != 0) return found;
    throw Error(Errc::invalidArgument, std::string(call) + ": id " + std::to_string(id) +
                                           " is outside the view (0 to " +
                                           std::to_string(member->roster.adoptedSize() - 1) + ")");
  }

  const Options options;
  const std::uint64_t forkGeneration = detail::forkGeneration();
  std::unique_ptr<JoinedMember> member;
  std::uint64_t membership = 1;  ///< counts rejoin()
};

namespace {

/// A call in progress that uses parts of our slot in the segment: stop() waits for it before it gives the slot
/// back. Single messages do without, since mailboxes refuse what comes late (Mailbox::push, Inbox::close); so does
/// the token where nobody waits for it. `standing` says whether the call may begin.
class Call {
 public:
  explicit Call(JoinedMember& member) : member_(member) {
    member_.calls.fetch_add(1, std::memory_order_seq_cst);
    standing = member_.context.standing();
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { member_.calls.fetch_sub(1, std::memory_order_seq_cst); }

  Status standing;

 private:
  JoinedMember& member_;
};

Outcome refusal(Status status) {
  Outcome outcome;
  outcome.status = status;
  return outcome;
}

Event sendEvent(Kind kind, Payload payload, LamportTime stamp) {
  Event event;
  event.type = EventType::send;
  event.kind = kind;
  event.payload = payload;
  event.clock = stamp;
  return event;
}

/// Receives one wanted message: merges the clock, and tells the observer.
Status receiveOne(JoinedMember& member, const detail::Wanted& wanted, detail::Sink& sink, const Deadline& deadline,
                  MessageInfo& info) {
  const Status standing = member.context.standing();
  if (standing != Status::ok) return standing;
  detail::Taken taken;
  const Status status = member.messaging.receive(wanted, sink, deadline, taken);
  if (status != Status::ok) return status;
  info.member = taken.envelope.sender;
  info.sender = member.roster.idOf(info.member);
  member.roster.copyName(info.member, info.name);
  info.stamp = taken.envelope.stamp;
  info.clock = member.clock.merge(info.stamp);
  info.kind = taken.envelope.kind;
  info.view = taken.envelope.view;
  info.size = taken.length;
  if (member.isObserved()) {
    Event event;
    event.type = EventType::receive;
    event.kind = info.kind;
    event.stamp = info.stamp;
    event.clock = info.clock;
    event.payload = sink.bytes();
    member.setPeer(event, info.member);
    member.emit(event);
  }
  return Status::ok;
}

Result<Message> receiveMessage(JoinedMember& member, const detail::Wanted& wanted, const Deadline& deadline) {
  Result<Message> result(std::in_place);
  MessageSink sink(*result);
  const Status status = receiveOne(member, wanted, sink, deadline, *result);
  if (status != Status::ok) result = status;
  return result;
}

}  // namespace

Communicator::Communicator(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Communicator::~Communicator() {
  // In a forked child the segment is not mapped and the service thread does not exist: leave everything alone.
  if (detail::forkGeneration() != impl_->forkGeneration) static_cast<void>(impl_.release());
}

MemberId Communicator::id() const {
  impl_->refuseForkedChild();
  return impl_->member->roster.idOf(impl_->member->context.self);
}

const std::string& Communicator::name() const { return impl_->options.name; }

int Communicator::size() const {
  impl_->refuseForkedChild();
  return impl_->member->roster.adoptedSize();
}

Member Communicator::member() const {
  impl_->refuseForkedChild();
  return impl_->member->context.self;
}

LamportTime Communicator::clock() const {
  impl_->refuseForkedChild();
  return impl_->member->clock.now();
}

View Communicator::view() {
  impl_->refuseForkedChild();
  const auto view = impl_->member->roster.current();
  if (!view) {
    throw Error(Errc::corruptSegment, "view: the segment of group '" + impl_->options.group +
                                          "' holds values that no member writes; end its members");
  }
  impl_->member->roster.adopt(*view);
  return view->toPublic();
}

std::uint64_t Communicator::viewNumber() const {
  impl_->refuseForkedChild();
  return impl_->member->context.views.number();
}

Result<View> Communicator::waitView(std::uint64_t after, Timeout timeout) {
  impl_->refuseForkedChild();
  JoinedMember& member = *impl_->member;
  const Call call(member);
  if (call.standing != Status::ok) return call.standing;
  const Status status =
      member.context.wait(impl_->deadlineOf(timeout), [&] { return member.context.views.number() > after; });
  if (status != Status::ok) return status;
  const auto view = member.roster.current();
  if (!view || view->number <= after) return Status::segmentCorrupt;
  member.roster.adopt(*view);
  return view->toPublic();
}

namespace {

Outcome sendToAll(JoinedMember& member, Payload payload, Kind kind, FullPolicy policy, const Deadline& deadline) {
  const Call call(member);
  if (call.standing != Status::ok) return refusal(call.standing);
  const LamportTime stamp = member.clock.tick();
  if (member.isObserved()) member.emit(sendEvent(kind, payload, stamp));
  return member.messaging.sendToAll(payload.bytes(), stamp, kind, policy, deadline);
}

}  // namespace

Outcome Communicator::publish(Payload payload, Timeout timeout) {
  impl_->refuseForkedChild();
  impl_->refuseTooLarge("publish", payload.size());
  return sendToAll(*impl_->member, payload, Kind::publish, impl_->options.onFull, impl_->deadlineOf(timeout));
}

Outcome Communicator::broadcast(Payload payload, Timeout timeout) {
  impl_->refuseForkedChild();
  impl_->refuseTooLarge("broadcast", payload.size());
  return sendToAll(*impl_->member, payload, Kind::broadcast, impl_->options.onFull, impl_->deadlineOf(timeout));
}

Outcome Communicator::sendTo(Payload payload, MemberId to, Timeout timeout) {
  impl_->refuseForkedChild();
  return sendTo(payload, impl_->memberOf("sendTo", to), timeout);
}

Outcome Communicator::sendTo(Payload payload, Member to, Timeout timeout) {
  impl_->refuseForkedChild();
  impl_->refuseTooLarge("sendTo", payload.size());
  JoinedMember& member = *impl_->member;
  if (to.incarnation == 0 || to.slot >= member.context.segment.geometry().capacity) {
    throw Error(Errc::invalidArgument, "sendTo: the member handle means nobody; take it from a view or a message");
  }
  // Our outbox is used only for what we send to ourselves.
  std::optional<Call> call;
  if (to == member.context.self) call.emplace(member);
  Outcome outcome;
  outcome.status = member.context.standing();
  if (!outcome.ok()) return outcome;
  const LamportTime stamp = member.clock.tick();
  if (member.isObserved()) {
    Event event = sendEvent(Kind::sendTo, payload, stamp);
    member.setPeer(event, to);
    member.emit(event);
  }
  bool dropped = false;
  outcome.status = member.messaging.sendTo(payload.bytes(), stamp, to, impl_->options.onFull,
                                           impl_->deadlineOf(timeout), dropped);
  outcome.view = member.roster.adoptedNumber();
  const MemberId id = member.roster.idOf(to);
  if (id == kUnknownId || dropped) return outcome;
  switch (outcome.status) {
    case Status::ok: outcome.acknowledged.insert(id); break;
    case Status::staleView: outcome.failed.insert(id); break;
    default: outcome.missing.insert(id);
  }
  return outcome;
}

Result<Message> Communicator::receive(Timeout timeout) {
  impl_->refuseForkedChild();
  return receiveMessage(*impl_->member, {}, impl_->deadlineOf(timeout));
}

Result<Message> Communicator::tryReceive() {
  impl_->refuseForkedChild();
  auto result = receiveMessage(*impl_->member, {}, Deadline::passedAlready());
  return result.status() == Status::timeout ? Result<Message>(Status::empty) : std::move(result);
}

Result<MessageInfo> Communicator::receiveInto(std::span<std::byte> buffer, Timeout timeout) {
  impl_->refuseForkedChild();
  Result<MessageInfo> result(std::in_place);
  SpanSink sink(buffer);
  const Status status = receiveOne(*impl_->member, {}, sink, impl_->deadlineOf(timeout), *result);
  if (status != Status::ok) result = status;
  return result;
}

namespace {

Outcome passBarrier(JoinedMember& member, std::uint32_t n, const Deadline& deadline) {
  const Call call(member);
  if (call.standing != Status::ok) return refusal(call.standing);
  int count = static_cast<int>(n);
  if (n == 0 && member.isObserved()) {
    const auto view = member.roster.current();
    count = view ? static_cast<int>(view->members.size()) : 0;
  }
  const auto report = [&](EventType type, Status status) {
    if (!member.isObserved()) return;
    Event event;
    event.type = type;
    event.status = status;
    event.count = count;
    member.emit(event);
  };
  report(EventType::syncEnter, Status::ok);
  const Outcome outcome = member.barrier.synchronize(n, deadline);
  report(outcome.ok() ? EventType::syncPassed : EventType::syncFailed, outcome.status);
  return outcome;
}

}  // namespace

Outcome Communicator::synchronize(int n, Timeout timeout) {
  impl_->refuseForkedChild();
  const auto capacity = static_cast<int>(impl_->member->context.segment.geometry().capacity);
  if (n < 1 || n > capacity) {
    throw Error(Errc::invalidArgument, "synchronize: N = " + std::to_string(n) + " is not allowed; legal: 1 to " +
                                           std::to_string(capacity) + " (the group's capacity)");
  }
  return passBarrier(*impl_->member, static_cast<std::uint32_t>(n), impl_->deadlineOf(timeout));
}

Outcome Communicator::synchronize(Timeout timeout) {
  impl_->refuseForkedChild();
  return passBarrier(*impl_->member, 0, impl_->deadlineOf(timeout));
}

namespace {

/// Reports each acknowledgement of a synchronous send as it is known.
detail::Rendezvous::OnShare shareReporter(JoinedMember& member, Kind kind) {
  return [&member, kind](Member peer, MemberId id, bool acknowledged) {
    if (!member.isObserved()) return;
    Event event;
    event.type = acknowledged ? EventType::ackReceived : EventType::ackMissing;
    event.kind = kind;
    event.status = acknowledged                    ? Status::ok
                   : member.context.isActive(peer) ? Status::timeout
                                                   : Status::peerFailed;
    member.setPeer(event, peer);
    event.peer = id;
    member.emit(event);
  };
}

}  // namespace

Result<Message> Communicator::broadcastSync(Payload data, MemberId from, Timeout timeout) {
  impl_->refuseForkedChild();
  const Member sender = impl_->memberOf("broadcastSync", from);
  JoinedMember& member = *impl_->member;
  const Deadline deadline = impl_->deadlineOf(timeout);
  if (sender != member.context.self) {
    auto result = receiveMessage(member, {false, sender, Kind::broadcastSync}, deadline);
    if (result) return result;
    Outcome outcome = refusal(result.status());
    outcome.view = member.roster.adoptedNumber();
    (outcome.status == Status::peerFailed ? outcome.failed : outcome.missing).insert(from);
    return outcome;
  }
  impl_->refuseTooLarge("broadcastSync", data.size());
  const Call call(member);
  if (call.standing != Status::ok) return call.standing;
  const LamportTime stamp = member.clock.tick();
  if (member.isObserved()) member.emit(sendEvent(Kind::broadcastSync, data, stamp));
  const Outcome outcome =
      member.rendezvous.broadcastSync(data.bytes(), stamp, deadline, shareReporter(member, Kind::broadcastSync));
  if (outcome.ok() && member.isObserved()) {
    Event event;
    event.type = EventType::allAcks;
    event.kind = Kind::broadcastSync;
    event.count = outcome.acknowledged.size();
    member.emit(event);
  }
  return outcome;
}

Outcome Communicator::sendToSync(Payload payload, MemberId to, Timeout timeout) {
  impl_->refuseForkedChild();
  impl_->refuseTooLarge("sendToSync", payload.size());
  const Member addressee = impl_->memberOf("sendToSync", to);
  JoinedMember& member = *impl_->member;
  if (addressee == member.context.self) {
    throw Error(Errc::invalidArgument, "sendToSync: id " + std::to_string(to) +
                                           " is this process, which cannot receive while it waits; use sendTo");
  }
  const Call call(member);
  if (call.standing != Status::ok) return refusal(call.standing);
  const LamportTime stamp = member.clock.tick();
  if (member.isObserved()) {
    Event event = sendEvent(Kind::sendToSync, payload, stamp);
    member.setPeer(event, addressee);
    member.emit(event);
  }
  Outcome outcome = member.rendezvous.sendToSync(payload.bytes(), stamp, addressee, impl_->deadlineOf(timeout),
                                                 shareReporter(member, Kind::sendToSync));
  if (outcome.status == Status::peerFailed && outcome.failed.empty()) {
    outcome.view = member.roster.adoptedNumber();  // gone before we began
    outcome.failed.insert(to);
  }
  return outcome;
}

Result<Message> Communicator::receiveFromSync(MemberId from, Timeout timeout) {
  impl_->refuseForkedChild();
  const Member sender = impl_->memberOf("receiveFromSync", from);
  JoinedMember& member = *impl_->member;
  if (sender == member.context.self) {
    throw Error(Errc::invalidArgument, "receiveFromSync: id " + std::to_string(from) + " is this process itself");
  }
  auto result = receiveMessage(member, {false, sender, Kind::sendToSync}, impl_->deadlineOf(timeout));
  if (result) return result;
  Outcome outcome = refusal(result.status());
  outcome.view = member.roster.adoptedNumber();
  (outcome.status == Status::peerFailed ? outcome.failed : outcome.missing).insert(from);
  return outcome;
}

namespace {

/// Reports how a request for the section ended.
void reportGrant(JoinedMember& member, const detail::TokenRing::Grant& grant) {
  if (!member.isObserved()) return;
  Event event;
  event.status = grant.status;
  event.fence = grant.fence;
  if (grant.status != Status::ok) {
    event.type = EventType::sectionRefused;
    member.emit(event);
    return;
  }
  if (grant.fromSlot != member.context.self.slot && grant.fromSlot < member.context.segment.geometry().capacity) {
    event.type = EventType::tokenReceived;
    event.waiting = grant.handed;
    const auto word =
        detail::SlotWord::unpack(member.context.segment.slot(grant.fromSlot).word.load(std::memory_order_relaxed));
    member.setPeer(event, {grant.fromSlot, word.incarnation});
    member.emit(event);
    event.peer = kUnknownId;
    event.peerName = {};
    event.waiting = false;
  }
  event.type = EventType::sectionEnter;
  member.emit(event);
}

Status releaseHeld(JoinedMember& member, std::uint64_t fence) {
  const auto giveBack = [&] { return member.tokenRing.release(fence); };
  if (!member.isObserved() || member.tokenRing.heldFence() != fence) return giveBack().status;
  Event event;
  event.type = EventType::sectionExit;
  event.fence = fence;
  try {
    member.emit(event);  // before the next one can enter, so that the trace shows the exclusion
  } catch (...) {
    static_cast<void>(giveBack());  // an observer must not throw, but nobody shall wait for us because it did
    throw;
  }
  const auto handover = giveBack();
  if (handover.status == Status::ok && handover.toSlot != member.context.self.slot) {
    event.type = EventType::tokenPassed;
    const auto word = detail::SlotWord::unpack(
        member.context.segment.slot(handover.toSlot).word.load(std::memory_order_relaxed));
    member.setPeer(event, {handover.toSlot, word.incarnation});
    member.emit(event);
  }
  return handover.status;
}

}  // namespace

Result<Section> Communicator::requestSC(Timeout timeout) {
  impl_->refuseForkedChild();
  JoinedMember& member = *impl_->member;
  if (member.isObserved()) {
    Event event;
    event.type = EventType::sectionRequest;
    member.emit(event);
  }
  auto grant = member.tokenRing.tryRequest();
  if (grant.status == Status::empty) {
    const Call call(member);
    if (call.standing != Status::ok) return call.standing;
    grant = member.tokenRing.request(impl_->deadlineOf(timeout));
  }
  reportGrant(member, grant);
  if (grant.status != Status::ok) return grant.status;
  return Section(*this, impl_->membership, grant.fence);
}

Result<Section> Communicator::trySC() {
  impl_->refuseForkedChild();
  JoinedMember& member = *impl_->member;
  const auto grant = member.tokenRing.tryRequest();
  if (grant.status != Status::ok) return grant.status;
  reportGrant(member, grant);
  return Section(*this, impl_->membership, grant.fence);
}

Outcome Communicator::releaseSC() {
  impl_->refuseForkedChild();
  JoinedMember& member = *impl_->member;
  const std::uint64_t fence = member.tokenRing.heldFence();
  if (fence == 0) {
    const Status standing = member.context.standing();
    if (standing != Status::ok) return refusal(standing);
    throw Error(Errc::notHolding,
                "releaseSC: '" + impl_->options.name + "' is not in the critical section; call requestSC() first");
  }
  return refusal(releaseHeld(member, fence));
}

void Communicator::releaseSection(std::uint64_t membership, std::uint64_t fence) noexcept {
  if (detail::forkGeneration() != impl_->forkGeneration || membership != impl_->membership) return;
  try {
    static_cast<void>(releaseHeld(*impl_->member, fence));
  } catch (...) {
    // Only an observer can throw here, against its contract; the token has been passed on by then.
  }
}

Section::~Section() { release(); }

Section& Section::operator=(Section&& other) noexcept {
  if (this != &other) {
    release();
    owner_ = std::exchange(other.owner_, nullptr);
    membership_ = other.membership_;
    fence_ = other.fence_;
  }
  return *this;
}

void Section::release() noexcept {
  if (owner_ != nullptr) std::exchange(owner_, nullptr)->releaseSection(membership_, fence_);
}

Outcome Communicator::stop(Timeout timeout) {
  impl_->refuseForkedChild();
  JoinedMember& member = *impl_->member;
  const bool first = !member.context.isStopping();
  Event event;
  event.type = EventType::stopping;
  if (first) member.emit(event);
  const bool done = member.leave(impl_->deadlineOf(timeout));
  event.type = EventType::stopped;
  event.status = done ? Status::ok : Status::timeout;
  if (first) member.emit(event);
  return refusal(event.status);
}

void Communicator::rejoin() {
  impl_->refuseForkedChild();
  if (!stop()) {
    throw Error(
        Errc::system,
        "rejoin: other threads are still inside calls of this communicator, or a lock of the group names it; let "
        "them return, and if that does not help, end the process");
  }
  impl_->member = join(impl_->options);
  ++impl_->membership;
}

Stats Communicator::stats() const {
  impl_->refuseForkedChild();
  JoinedMember& member = *impl_->member;
  Stats stats;
  stats.sent = member.sent();
  stats.received = member.inbox.received();
  stats.dropped = member.messaging.dropped();
  if (member.context.standing() == Status::ok) stats.pending = member.inbox.pending();
  return stats;
}

int Communicator::openCell(std::string_view name, std::size_t size) {
  impl_->refuseForkedChild();
  const Call call(*impl_->member);
  if (call.standing != Status::ok) {
    throw Error(Errc::invalidArgument, "FencedCell: the communicator is " + std::string(toString(call.standing)));
  }
  return impl_->member->cells.open(name, size, impl_->deadlineOf(kDefaultTimeout));
}

Status Communicator::writeCell(int cell, std::span<const std::byte> value, std::uint64_t fence) {
  impl_->refuseForkedChild();
  const Call call(*impl_->member);
  // An evicted writer is told so by the cell: its fence is old. That is the point of the fence.
  if (call.standing == Status::stopped) return call.standing;
  return impl_->member->cells.write(cell, value, fence, impl_->deadlineOf(kDefaultTimeout));
}

Result<std::uint64_t> Communicator::readCell(int cell, std::span<std::byte> value) const {
  impl_->refuseForkedChild();
  const Call call(*impl_->member);
  if (call.standing != Status::ok) return call.standing;
  return impl_->member->cells.read(cell, value);
}

}  // namespace ronde
