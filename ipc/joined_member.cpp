#include "ipc/joined_member.hpp"

#include <algorithm>
#include <ronde/error.hpp>
#include <thread>

#include "ipc/log.hpp"
#include "ipc/protocol/cleanup.hpp"

namespace ronde::detail {
namespace {

constexpr std::chrono::seconds kLeaveLimit{5};
constexpr std::chrono::milliseconds kGiveUpLimit{100};

/// At the end of its deadline a caller still waits a little for a lock that somebody holds for a moment.
Deadline forALock(const Deadline& deadline) {
  return Deadline::in(std::max<std::chrono::nanoseconds>(deadline.remaining(), kGiveUpLimit));
}

std::unique_ptr<Segment> enter(const Options& options, const Deadline& deadline) {
  auto segment = Segment::joinOrCreate(options, deadline);
  const auto expected = static_cast<std::uint32_t>(options.expected);
  if (segment->control().viewNumber.load() == 0 && segment->geometry().expected != expected) {
    throw Error(Errc::groupMismatch, "group '" + options.group + "' is being founded for " +
                                         std::to_string(segment->geometry().expected) + " processes, not " +
                                         std::to_string(expected) +
                                         "; start all with the same Options::expected (RONDE_EXPECTED)");
  }
  return segment;
}

Member claimSlot(const Segment& segment, const Registry& registry, const ShortName& name,
                 const Deadline& deadline) {
  const auto self = registry.claim(name, deadline);
  if (self) return *self;
  segment.abandonName();
  throw GroupIsDead();
}

}  // namespace

JoinedMember::JoinedMember(const Options& options, const Deadline& deadline)
    : options_(options),
      name_(options.name),
      segment_(enter(options, deadline)),
      registry(*segment_),
      self_(claimSlot(*segment_, registry, name_, deadline)),
      liveness_(*segment_, self_.slot),
      context(*segment_, self_, liveness_, options.waiting),
      roster(context.views),
      outbox(*segment_, self_.slot),
      inbox(*segment_, self_, liveness_, forALock(deadline)),
      messaging(context, roster, outbox, inbox),
      rendezvous(context, roster, outbox, messaging),
      barrier(context, roster),
      tokenRing(context, roster),
      cells(context) {
  ServiceThread::Callbacks callbacks;
  callbacks.viewChanged = [this](std::uint64_t from, std::uint64_t to) { onViews(from, to); };
  callbacks.beat = [this] { onBeat(); };
  if (isObserved()) {
    callbacks.heartbeats = [this](const std::vector<Member>& beating) {
      for (const Member& member : beating) {
        Event event;
        event.type = EventType::heartbeat;
        setPeer(event, member);
        emit(event);
      }
    };
    callbacks.evicted = [this] {
      Event event;
      event.type = EventType::evicted;
      emit(event);
    };
  }
  service_ = std::make_unique<ServiceThread>(context, registry, std::move(callbacks));
  joinView(deadline);
}

JoinedMember::~JoinedMember() { leave(Deadline::in(kLeaveLimit)); }

void JoinedMember::joinView(const Deadline& deadline) {
  const auto abandon = [this] {
    service_.reset();
    registry.abandon(self_);
  };
  switch (registry.admit(context, name_, forALock(deadline))) {
    case Admission::admitted: break;
    case Admission::waiting: awaitCohort(deadline); break;
    case Admission::nameTaken:
      abandon();
      throw Error(Errc::duplicateName, "group '" + options_.group + "' has a living member called '" +
                                           options_.name + "' already; choose another Options::name (RONDE_NAME)");
    case Admission::groupDead:
      segment_->abandonName();
      abandon();
      throw GroupIsDead();
    case Admission::noLock:
      abandon();
      throw Error(Errc::registrationTimeout,
                  "group '" + options_.group +
                      "': the registry's lock was not to be had in time; if a stopped process "
                      "holds it, continue or end that");
    case Admission::corrupt:
      abandon();
      throw Error(Errc::corruptSegment, "group '" + options_.group +
                                            "': the registry holds values that no member writes; end its members");
  }
  context.ringAll();
  cleanUp(context, registry);
  const auto view = roster.current();
  if (!view)
    throw Error(Errc::corruptSegment, "group '" + options_.group + "': the view is damaged; end its members");
  roster.adopt(*view);
  context.noteView(*view);
  log::info("'{}' joined group '{}' as id {} of view {}", options_.name, options_.group, view->idOf(self_),
            view->number);
  if (isObserved()) {
    const View publicView = view->toPublic();
    Event event;
    event.type = EventType::registered;
    event.roster = &publicView;
    emit(event);
  }
  service_->reportViewsAfter(view->number);
}

void JoinedMember::awaitCohort(const Deadline& deadline) {
  const Word64& joined = context.segment.slot(self_.slot).joinedView;
  const Status status = context.wait(
      deadline, [&] { return joined.load(std::memory_order_seq_cst) != 0 && context.views.number() != 0; });
  if (status == Status::ok) return;
  if (status == Status::evicted) {
    throw Error(
        Errc::registrationTimeout,
        "group '" + options_.group + "': '" + options_.name +
            "' gave no heartbeat for longer than Options::heartbeatTimeout and was excluded while it waited "
            "for the others; try again, or raise the limit");
  }
  const std::string arrived = std::to_string(registry.arrivedCount(liveness_)) + " of " +
                              std::to_string(segment_->geometry().expected) +
                              " arrived: " + registry.arrivedNames(liveness_);
  const Leaving self{self_, Departure::left};
  registry.remove(context, {&self, 1}, Deadline::in(kGiveUpLimit));
  context.ringAll();
  throw Error(Errc::registrationTimeout, "group '" + options_.group + "' was not complete in time: " + arrived +
                                             "; start the others, or lower Options::expected (RONDE_EXPECTED)");
}

void JoinedMember::setPeer(Event& event, Member peer) {
  const auto view = roster.current();
  event.peer = view ? view->idOf(peer) : kUnknownId;
  roster.copyName(peer, event.peerName);
}

void JoinedMember::emit(Event event) {
  if (!isObserved()) return;
  const auto view = roster.current();
  if (event.roster != nullptr) {
    event.self = event.roster->idOf(self_);
    event.view = event.roster->number;
  } else if (view) {
    event.self = view->idOf(self_);
    event.view = view->number;
  }
  event.name = name_;
  if (event.clock == 0) event.clock = clock.now();
  options_.observer(event);
}

void JoinedMember::onViews(std::uint64_t from, std::uint64_t to) {
  if (const auto view = roster.current()) context.noteView(*view);
  context.doorbell().wake();
  if (!isObserved()) return;
  // Older ones are forgotten; and garbage in the number must not keep us here.
  for (std::uint64_t missed = std::min<std::uint64_t>(to - from, kRememberedViews); missed > 0; --missed) {
    const auto view = context.views.at(to - missed + 1);
    if (!view) continue;
    const View publicView = view->toPublic();
    Event event;
    event.type = EventType::view;
    event.roster = &publicView;
    emit(event);
  }
}

void JoinedMember::onBeat() {
  publishCounters();
  const Token token = tokenRing.token();
  const bool restsHere = token.holder == self_.slot + 1 && !token.held;
  if (restsHere && !tokenRests_ && isObserved()) {
    Event event;
    event.type = EventType::tokenReceived;
    const std::uint32_t from = segment_->slot(self_.slot).tokenFrom.load();
    if (from != 0 && from <= segment_->geometry().capacity) {
      const auto word = SlotWord::unpack(segment_->slot(from - 1).word.load());
      setPeer(event, {from - 1, word.incarnation});
    }
    emit(event);
  }
  tokenRests_ = restsHere;
}

void JoinedMember::publishCounters() {
  SlotTableState& own = segment_->slot(self_.slot);
  own.clock.store(clock.now(), std::memory_order_relaxed);
  own.sent.store(sent(), std::memory_order_relaxed);
  own.received.store(inbox.received(), std::memory_order_relaxed);
}

bool JoinedMember::leave(const Deadline& deadline) {
  context.beginStopping();
  if (!leaving_.take(deadline, [] { return true; })) return false;
  const TurnGuard guard(leaving_);
  if (left_) return true;
  liveness_.setMayWait(false);  // calls that wait for a lock end, too
  // Blocked calls see the flag when they wake; they may sleep on words of other members, so give them time.
  while (calls.load(std::memory_order_seq_cst) != 0) {
    if (deadline.passed()) return false;
    context.doorbell().wake();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  inbox.close();
  liveness_.setMayWait(true);
  static_cast<void>(tokenRing.release(tokenRing.heldFence()));
  const Leaving self{self_, Departure::left};
  const auto removeOurselves = [&](const Deadline& until) {
    if (context.isActive(self_)) registry.remove(context, {&self, 1}, until);
  };
  removeOurselves(forALock(deadline));
  publishCounters();
  context.ringAll();
  // Sends to others are not counted, which would cost each of them more than its lock does. Those that have not
  // looked for the last time yet write nothing any more, even where the registry was not to be had and our slot
  // word still says active; one that has is under a mailbox's lock. SYNC: departure. The heart beats meanwhile, so
  // that nobody takes us for silent and kills us for that lock.
  liveness_.retire();
  liveness_.setMayWait(false);
  segment_->slot(self_.slot).service.wake();  // now it takes us out of the group, if we could not
  const Deadline locksDeadline = forALock(deadline);
  while (holdsAnyLock(*segment_, self_)) {
    if (locksDeadline.passed()) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  removeOurselves(Deadline::passedAlready());  // somebody may have had the registry for a moment before
  service_.reset();  // it may have taken another lock since, and is off it when it has ended
  // With us the last member is gone. Somebody dead may still hold on to the file; whoever comes founds a new
  // group. The slots are asked, too, since a damaged view must not cost a living group its name.
  const auto view = context.views.current();
  const bool isLast = view && view->number > 0 && view->members.empty() && registry.arrivedCount(liveness_) == 0;
  if (isLast) segment_->abandonName();
  // From here on the slot may be given out again; nothing of ours touches it any more. If the registry was not to
  // be had, the others find the file lock free and count us as died.
  segment_->releaseSlot(self_.slot);
  context.ringAll();
  segment_->leave();
  left_ = true;
  log::info("'{}' left group '{}'", options_.name, options_.group);
  return true;
}

}  // namespace ronde::detail
