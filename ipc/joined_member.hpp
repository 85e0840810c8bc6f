#pragma once

#include <atomic>
#include <mutex>
#include <ronde/options.hpp>

#include "ipc/mailbox/inbox.hpp"
#include "ipc/mailbox/outbox.hpp"
#include "ipc/membership/context.hpp"
#include "ipc/membership/registry.hpp"
#include "ipc/membership/roster.hpp"
#include "ipc/protocol/barrier.hpp"
#include "ipc/protocol/fenced_cells.hpp"
#include "ipc/protocol/lamport_clock.hpp"
#include "ipc/protocol/messaging.hpp"
#include "ipc/protocol/rendezvous.hpp"
#include "ipc/protocol/token_ring.hpp"
#include "ipc/segment/segment.hpp"
#include "ipc/service_thread.hpp"

namespace ronde::detail {

/// Thrown by the constructor when every member of the group turned out to be dead, though somebody still holds on
/// to the segment (the kernel, which is taking down a large process, or a process that was evicted and is
/// stopped). Its name has been removed: to be tried again, which founds a new group.
struct GroupIsDead {};

/// One membership from REGISTER to stop: owns the parts in the order in which they depend on each other, joins in
/// the constructor, and takes everything down in leave(). Tells the observer what only the library knows.
class JoinedMember {
 public:
  /// @throws Error as Communicator's constructor.
  JoinedMember(const Options& options, const Deadline& deadline);
  JoinedMember(const JoinedMember&) = delete;
  JoinedMember& operator=(const JoinedMember&) = delete;
  ~JoinedMember();

  /// Ends the membership; false if at the deadline calls were still under way, or a lock named us, as it does
  /// while a thread of ours is under it (or for good, if the word is damaged). Then it may be tried again. In
  /// the second case we are out of the group, or the service thread goes on trying; the heart goes on.
  bool leave(const Deadline& deadline);

  /// Fills in what every event has and hands it to the observer. No-op without one.
  void emit(Event event);
  [[nodiscard]] bool isObserved() const { return static_cast<bool>(options_.observer); }
  /// Names the other member of an event.
  void setPeer(Event& event, Member peer);

  // Counts calls in progress, so that leave() can wait for them.
  std::atomic<int> calls{0};

  /// User messages handed over, one per addressee.
  [[nodiscard]] std::uint64_t sent() const { return messaging.pushed() + rendezvous.acknowledged(); }

 private:
  const Options options_;
  const ShortName name_;
  const std::unique_ptr<Segment> segment_;

 public:
  Registry registry;

 private:
  const Member self_;
  Liveness liveness_;

 public:
  MemberContext context;
  LamportClock clock;
  Roster roster;
  Outbox outbox;
  Inbox inbox;
  Messaging messaging;
  Rendezvous rendezvous;
  Barrier barrier;
  TokenRing tokenRing;
  FencedCells cells;

 private:
  void joinView(const Deadline& deadline);
  void awaitCohort(const Deadline& deadline);
  void onViews(std::uint64_t from, std::uint64_t to);
  void onBeat();
  void publishCounters();

  Turn leaving_;
  bool left_ = false;
  bool tokenRests_ = false;  // service thread only
  std::unique_ptr<ServiceThread> service_;
};

}  // namespace ronde::detail
