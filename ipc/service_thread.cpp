#include "ipc/service_thread.hpp"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <system_error>

#include "ipc/failure.hpp"
#include "ipc/log.hpp"
#include "ipc/protocol/cleanup.hpp"

namespace ronde::detail {
namespace {

/// Without futex_waitv deaths are looked for this often.
constexpr std::chrono::milliseconds kPollSlice{20};
/// A removal that failed, since somebody has the registry's lock or the view is damaged, is tried again this soon.
constexpr std::chrono::milliseconds kRemovalRetry{1};
/// So is an eviction.
constexpr std::chrono::milliseconds kEvictionRetry{20};
/// A clean-up that somebody else is at, or that waits for room in a mailbox, is looked at again this soon; so is
/// the registry by a leaver that could not have it.
constexpr std::chrono::milliseconds kCleanUpRetry{20};

}  // namespace

ServiceThread::ServiceThread(MemberContext& context, Registry& registry, Callbacks callbacks)
    : context_(context),
      registry_(registry),
      callbacks_(std::move(callbacks)),
      judge_(context.segment.heartbeatInterval(), context.segment.heartbeatTimeout()) {
  // The program's signal handlers run in its own threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& failure) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throwSystem("starting the service thread", failure.code().value(),
                "memory, RLIMIT_AS (ulimit -v), RLIMIT_NPROC (ulimit -u) or the cgroup's pids may be exhausted");
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  started_.wait();
}

ServiceThread::~ServiceThread() {
  ending_.store(true, std::memory_order_seq_cst);
  context_.segment.slot(context_.self.slot).service.wake();
  thread_.join();
}

void ServiceThread::reportViewsAfter(std::uint64_t view) {
  reportedView_.store(view, std::memory_order_seq_cst);
  context_.segment.slot(context_.self.slot).service.wake();
}

void ServiceThread::run() {
  SlotTableState& own = context_.segment.slot(context_.self.slot);
  if (!life_.begin(own.life)) log::warn("the kernel refuses robust futexes; deaths will be seen later");
  beat();
  started_.count_down();

  auto nextBeat = Clock::now() + context_.segment.heartbeatInterval();
  auto verdictDue = Clock::now();  // silence counts from the first look on
  while (!ending_.load(std::memory_order_seq_cst)) {
    const bool isDue = Clock::now() >= nextBeat;
    if (isDue) {
      beat();
      nextBeat = Clock::now() + context_.segment.heartbeatInterval();
      if (callbacks_.beat) callbacks_.beat();
    }
    if (context_.liveness.isRetired()) removeOurselves();
    const bool isMember = takesPart();
    if (isMember) removeDead(isDue);
    // A newcomer judges, too: where nobody else lives, whom it waits for at the registry's lock may be stopped.
    if (isDue || Clock::now() >= verdictDue) {
      verdictDue = context_.isOut() ? Clock::time_point::max() : judgeSilence();
    }
    if (isMember) cleaned_ = cleanUp(context_, registry_);
    reportViews();
    if (!evictionReported_ && context_.standing() == Status::evicted) {
      evictionReported_ = true;
      context_.doorbell().wake();
      if (callbacks_.evicted) callbacks_.evicted();
    }
    sleepUntil(std::min(nextBeat, verdictDue));
  }
  life_.end();
}

void ServiceThread::beat() {
  SlotTableState& own = context_.segment.slot(context_.self.slot);
  own.beatAtNs.store(static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now().time_since_epoch()).count()),
                     std::memory_order_relaxed);
  own.beats.fetch_add(1, std::memory_order_release);
  if (!unnamedReported_ && context_.standing() == Status::ok && !context_.segment.isNamed()) {
    unnamedReported_ = true;
    log::error("the segment's name was removed under the living group: newcomers will found another one");
  }
}

bool ServiceThread::takesPart() const {
  return context_.isActive(context_.self) && !context_.liveness.isRetired();
}

void ServiceThread::removeOurselves() {
  if (!context_.isActive(context_.self)) return;
  const Leaving self{context_.self, Departure::left};
  // A leaver's lock attempts do not wait (Liveness::mayWait).
  if (registry_.remove(context_, {&self, 1}, Deadline::passedAlready())) context_.ringAll();
}

void ServiceThread::removeDead(bool thorough) {
  const auto dead = registry_.findDead(context_.liveness, thorough);
  // Also where a proposer died between shutting a member out and installing the view without it.
  bool unfinished = false;
  if (thorough) {
    if (const auto view = context_.views.current()) {
      for (std::size_t id = 0; id < view->members.size(); ++id) {
        unfinished = unfinished || !context_.isActive(view->memberAt(id));
      }
    }
  }
  removalFailed_ = false;
  if (dead.empty() && !unfinished) return;
  if (registry_.remove(context_, dead, context_.briefly())) {
    for (const Leaving& one : dead) log::warn("slot {} died", one.member.slot);
    context_.ringAll();
  } else {
    removalFailed_ = std::any_of(dead.begin(), dead.end(),
                                 [this](const Leaving& one) { return context_.isActive(one.member); });
  }
}

Clock::time_point ServiceThread::judgeSilence() {
  std::vector<HeartObservation> hearts;
  for (std::uint32_t slot = 0; slot < context_.segment.geometry().capacity; ++slot) {
    const SlotTableState& table = context_.segment.slot(slot);
    const auto word = SlotWord::unpack(table.word.load(std::memory_order_seq_cst));
    // Also who joins or leaves: it could be stopped while it holds a lock.
    if (slot == context_.self.slot || word.phase == Phase::free) continue;
    // The dead do not beat either: one death and one stop are no pause of all.
    const bool isMember = word.phase == Phase::active && !context_.liveness.isDead(slot, false);
    const std::uint64_t beats = table.beats.load(std::memory_order_acquire);
    const std::chrono::nanoseconds stamp(
        static_cast<std::int64_t>(table.beatAtNs.load(std::memory_order_relaxed)));
    hearts.push_back({{slot, word.incarnation}, beats, Clock::time_point(stamp), isMember});
  }
  const auto verdict = judge_.observe(Clock::now(), hearts);
  for (const Member& member : verdict.beating) context_.liveness.noteBeating(member);
  std::vector<Leaving> silent;
  for (const auto& [member, beats, beatAt, isMember] : hearts) {
    const bool isSilent = std::find(verdict.silent.begin(), verdict.silent.end(), member) != verdict.silent.end();
    if (isSilent) context_.liveness.noteSilent(member, beats);
    if (isSilent && isMember) silent.push_back({member, Departure::silent, beats});
  }
  if (!verdict.beating.empty() && callbacks_.heartbeats) callbacks_.heartbeats(verdict.beating);
  const bool mayEvict = context_.segment.silencePolicy() == SilencePolicy::evict && takesPart();
  if (silent.empty() || !mayEvict || evict(silent)) return verdict.nextDue;
  return std::min(verdict.nextDue, Clock::now() + kEvictionRetry);
}

bool ServiceThread::evict(const std::vector<Leaving>& silent) {
  const bool hasChanged = registry_.remove(context_, silent, context_.briefly());
  bool isOneLeft = false;
  for (const Leaving& one : silent) {
    const bool isLeft = context_.isActive(one.member);
    if (hasChanged && !isLeft) log::warn("slot {} was silent and is evicted", one.member.slot);
    isOneLeft = isOneLeft || isLeft;
  }
  if (hasChanged) context_.ringAll();
  return !isOneLeft;
}

void ServiceThread::reportViews() {
  const std::uint64_t number = context_.views.number();
  const std::uint64_t reported = reportedView_.load(std::memory_order_seq_cst);
  if (number <= reported) return;
  // Garbage in the number must neither be reported nor keep the views to come from being.
  const auto view = context_.views.current();
  damagedView_ = view && view->number > reported ? 0 : number;
  if (damagedView_ != 0) return;
  if (callbacks_.viewChanged) callbacks_.viewChanged(reported, view->number);
  reportedView_.store(view->number, std::memory_order_seq_cst);
}

void ServiceThread::sleepUntil(Clock::time_point wakeAt) {
  SlotTableState& own = context_.segment.slot(context_.self.slot);
  watched_.clear();
  watched_.push_back({&own.service.word, own.service.announce()});
  // Ring order from our own slot, so that beyond the kernel's limit of words every member is still watched by
  // some.
  const std::uint32_t capacity = context_.segment.geometry().capacity;
  auto limit = std::chrono::nanoseconds(wakeAt - Clock::now());
  const bool watches = takesPart();
  const bool isHalfOut = !watches && context_.isActive(context_.self);
  if ((watches && !cleaned_) || isHalfOut) limit = std::min<std::chrono::nanoseconds>(limit, kCleanUpRetry);
  if (watches && removalFailed_) limit = std::min<std::chrono::nanoseconds>(limit, kRemovalRetry);
  for (std::uint32_t step = 1; watches && step < capacity && watched_.size() < kFutexWaitAnyMax; ++step) {
    const SlotTableState& other = context_.segment.slot((context_.self.slot + step) % capacity);
    if (SlotWord::unpack(other.word.load(std::memory_order_seq_cst)).phase != Phase::active) continue;
    const std::uint32_t life = other.life.load(std::memory_order_seq_cst);
    if (LifeWord::saysDead(life)) {
      if (!removalFailed_) return;  // died since we looked
      continue;
    }
    watched_.push_back({&other.life, life});
  }
  const std::uint64_t number = context_.views.number();
  const bool isNews = number > reportedView_.load(std::memory_order_seq_cst) && number != damagedView_;
  if (ending_.load(std::memory_order_seq_cst) || isNews) return;
  if (context_.standing() == Status::evicted && !evictionReported_) return;
  if (!futexWaitAny(watched_, limit)) {
    futexWait(own.service.word, watched_.front().expected, std::min<std::chrono::nanoseconds>(limit, kPollSlice));
  }
}

}  // namespace ronde::detail
