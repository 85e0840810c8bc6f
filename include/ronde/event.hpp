#pragma once

#include <functional>
#include <ronde/export.hpp>
#include <ronde/message.hpp>
#include <ronde/status.hpp>
#include <ronde/types.hpp>
#include <ronde/view.hpp>

namespace ronde {

/// What a communicator reports to its observer, in the vocabulary of the specification's log lines.
enum class EventType : std::uint8_t {
  registered,      ///< the founding view (or the view that admitted us) is there: `roster`, `self`
  view,            ///< a later view was installed: `roster`, `self` renumbered
  send,            ///< a user message leaves: `kind`, `payload`, `clock`; `peer` unless to all
  receive,         ///< a user message was delivered: `kind`, `payload`, `peer`, `stamp`, `clock`
  syncEnter,       ///< arrived at the barrier: `count` = N
  syncPassed,      ///< every SYNC is there, barrier passed: `count` = N
  syncFailed,      ///< the barrier round failed: `status`
  ackReceived,     ///< a synchronous send was taken by `peer`: `kind`
  allAcks,         ///< a broadcastSync was taken by all: `kind`
  ackMissing,      ///< a synchronous send ended otherwise: `kind`, `status`
  sectionRequest,  ///< requestSC or trySC called
  sectionEnter,    ///< we hold the critical section: `fence`
  sectionExit,     ///< we are about to give it back: `fence`
  sectionRefused,  ///< the request ended otherwise: `status`
  tokenReceived,   ///< the token is with us: `peer` had it before, `waiting` says whether we still wait for it
  tokenPassed,     ///< the token left for `peer`
  heartbeat,       ///< a new heartbeat of `peer` was seen
  evicted,         ///< the others excluded us
  stopping,        ///< stop() begins
  stopped,         ///< stop() is done: `status`
};

/// The name of the event in --json output, e.g. "receive".
[[nodiscard]] RONDE_EXPORT std::string_view toString(EventType type) noexcept;

/// One event. Valid only during the observer's call.
struct Event {
  EventType type = EventType::view;
  MemberId self = kUnknownId;  ///< our id in view `view`
  ShortName name;              ///< our name
  MemberId peer = kUnknownId;  ///< the other member's id in view `view`; kUnknownId if none or gone
  ShortName peerName;          ///< empty if there is no other member
  std::uint64_t view = 0;      ///< number of the current view
  LamportTime clock = 0;       ///< our clock after the event
  LamportTime stamp = 0;       ///< the received message's clock
  Kind kind = Kind::sendTo;
  Status status = Status::ok;
  std::uint64_t fence = 0;
  int count = 0;
  bool waiting = false;
  Payload payload;
  const View* roster = nullptr;  ///< set for registered and view
};

/// Called in the thread in which the event happens (heartbeat, view, tokenReceived and evicted mostly in the
/// communicator's service thread), never while a lock of the segment is held, but several threads may call
/// it at once. It must return soon, must not throw, and must not call the communicator.
using Observer = std::function<void(const Event&)>;

}  // namespace ronde
