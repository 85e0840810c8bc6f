#pragma once

#include <cstdint>
#include <memory>
#include <ronde/error.hpp>
#include <ronde/export.hpp>
#include <ronde/message.hpp>
#include <ronde/options.hpp>
#include <ronde/section.hpp>
#include <ronde/status.hpp>
#include <ronde/types.hpp>
#include <ronde/view.hpp>
#include <span>
#include <string>
#include <string_view>

namespace ronde {

/// The most bytes a FencedCell's value may have.
inline constexpr std::size_t kFencedCellBytes = 192;

/// Counters of one communicator since it joined.
struct Stats {
  std::uint64_t sent = 0;      ///< user messages handed over, one per addressee
  std::uint64_t received = 0;  ///< user messages delivered
  std::uint64_t dropped = 0;   ///< dropped by FullPolicy::drop, one per addressee
  std::uint64_t pending = 0;   ///< messages waiting in our mailbox now
};

/// A process's membership of a group, and every protocol on it. One object = one member; a process may hold
/// several.
///
/// Thread-safety: every member function may be called from any thread at any time, except construction,
/// destruction and rejoin(). Calls of several threads interleave as if they were made in some order.
///
/// Every blocking call ends: with its result, at its deadline (Options::timeout unless it is given one), when
/// the members it needs die or leave, when this member is evicted, or when stop() is called.
///
/// What breaks it:
///  - fork(): the child must not use its parent's communicator (its calls throw Error(forked)); construct a
///    new one there. exec() ends the membership, as death does.
///  - Stopping the process (debugger, SIGSTOP) until its last heartbeat is older than
///    Options::heartbeatTimeout: it is evicted.
///  - Another process of the same user that writes garbage into the segment: calls end in mailboxCorrupt or
///    segmentCorrupt. Mutually hostile users are out of scope.
///  - Members in different mount namespaces see different /dev/shm, so different groups.
///
/// Ids: an id given to a call, and MessageInfo::sender, mean the view that view() returned last (the founding
/// view before that), so a number that the program remembers keeps its meaning until the program looks again.
/// A call whose addressee is gone meanwhile is refused with Status::staleView; it never reaches a neighbour.
///
/// Clock (Lamport 1978): +1 at each user send (one for a broadcast), max(local, received) + 1 at each delivery.
/// Token, heartbeat, view, acknowledgement and barrier do not touch it.
class RONDE_EXPORT Communicator {
 public:
  /// REGISTER: joins the group, creating it if nobody lives there, and waits until the founding cohort of
  /// `options.expected` members is complete. A later process is appended by a view change.
  /// @throws Error with the Errc that says why; nothing is left behind then.
  explicit Communicator(Options options);
  /// stop() with a short deadline. In a forked child it touches nothing.
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  /// Our id in the view that view() returned last.
  [[nodiscard]] MemberId id() const;
  [[nodiscard]] const std::string& name() const;
  /// Members in the view that view() returned last.
  [[nodiscard]] int size() const;
  /// Our handle, the same for as long as we are a member.
  [[nodiscard]] Member member() const;
  [[nodiscard]] LamportTime clock() const;

  /// The current view. From now on ids mean this one.
  [[nodiscard]] View view();
  /// Number of the current view, without adopting it: a cheap poll.
  [[nodiscard]] std::uint64_t viewNumber() const;
  /// Waits until the view's number is greater than `after`, and returns (and adopts) it.
  Result<View> waitView(std::uint64_t after, Timeout timeout = kDefaultTimeout);

  /// Sends to every member including ourselves. All surviving members get it or none does, whenever we die.
  /// A full mailbox delays only its owner's copy: the others have theirs before we wait for room.
  /// Outcome: acknowledged = handed over; missing = no room until the deadline (status full). What is reported
  /// missing is given up; "all or none" is for a sender that dies or is evicted.
  Outcome publish(Payload payload, Timeout timeout = kDefaultTimeout);
  /// Sends to every other member; otherwise like publish().
  Outcome broadcast(Payload payload, Timeout timeout = kDefaultTimeout);
  /// Sends to one member, ourselves included. ok = it lies whole in the mailbox, and our death does not undo it.
  /// Messages of one sender arrive in the order sent.
  /// @throws Error(invalidArgument) for an id outside the view; Error(messageTooLarge).
  Outcome sendTo(Payload payload, MemberId to, Timeout timeout = kDefaultTimeout);
  Outcome sendTo(Payload payload, Member to, Timeout timeout = kDefaultTimeout);

  /// The next message of the mailbox. Taking a synchronous one acknowledges it.
  Result<Message> receive(Timeout timeout = kDefaultTimeout);
  /// The next message if there is one; otherwise Status::empty at once.
  Result<Message> tryReceive();
  /// Like receive(), into the caller's buffer, without allocation (but for a long message that is interrupted by
  /// others); `size` of the result says how much. Without a message the buffer's content is unspecified.
  /// @throws Error(bufferTooSmall) with the needed size; the message stays where it is.
  Result<MessageInfo> receiveInto(std::span<std::byte> buffer, Timeout timeout = kDefaultTimeout);

  /// Barrier of N participants: returns once N members have called it. Rounds are reusable and separate.
  /// All participants of a round get the same result: ok; mismatch if somebody named another N; peerFailed
  /// if a death leaves fewer than N members; timeout if a participant's deadline passed. Not of the round and told
  /// so at once: who calls with an N that a departure which it has not seen by view() made impossible
  /// (peerFailed). peerStopped: the deadline passed while a stopped member held the barrier's lock; our arrival
  /// still counts. segmentCorrupt: what stands there of the barrier or its result for us is damaged; others may
  /// have passed.
  /// @throws Error(invalidArgument) unless 1 <= n <= the group's capacity.
  Outcome synchronize(int n, Timeout timeout = kDefaultTimeout);
  /// Barrier of all members of the view in which the first of them arrived. Any departure fails the round.
  Outcome synchronize(Timeout timeout = kDefaultTimeout);

  /// Collective: the member `from` sends `data` and waits until every other member has taken it; the others
  /// (whose `data` is ignored) wait for that message and return it. The sender's result has no value; its
  /// outcome says who acknowledged, failed, or is missing.
  Result<Message> broadcastSync(Payload data, MemberId from, Timeout timeout = kDefaultTimeout);
  /// Rendezvous: returns when `to` has taken the message. At the deadline the message is withdrawn; both
  /// sides agree on whether it was delivered.
  /// @throws Error(invalidArgument) if `to` is ourselves or out of range.
  Outcome sendToSync(Payload payload, MemberId to, Timeout timeout = kDefaultTimeout);
  /// The next sendToSync message of `from`; mail of others stays in place and in order.
  Result<Message> receiveFromSync(MemberId from, Timeout timeout = kDefaultTimeout);

  /// Enters the critical section of the group, waiting for the token of a ring (after Le Lann 1977): at most
  /// one holder per fence number, served in ring order. One section per process: a second thread waits.
  Result<Section> requestSC(Timeout timeout = kDefaultTimeout);
  /// Enters if the token rests in reserve; otherwise Status::empty at once.
  Result<Section> trySC();
  /// Leaves the section and hands the token to the next requester along the ring. The Section object of this
  /// holding becomes inert. Status::evicted: it had been taken from us meanwhile.
  /// @throws Error(notHolding) if this process does not hold the section.
  Outcome releaseSC();

  /// Leaves the group: ends this process's blocked calls with Status::stopped, passes the token on, and
  /// removes the segment if nobody is left. Idempotent. Later calls return Status::stopped. timeout: another
  /// thread was still inside a call (then the others count us as a member until a later stop() or the destructor),
  /// or a lock of the group names us (for good, if its word is damaged; the others go on without us); the slot in
  /// the segment is kept. May take 0.2 s longer than `timeout` where locks are held by others.
  Outcome stop(Timeout timeout = std::chrono::seconds(5));
  /// After an eviction (or stop): leaves what remains and registers anew, last in arrival order, with a new clock,
  /// an empty mailbox and a new handle. No other call of this object may be under way or begin meanwhile.
  /// @throws as the constructor does; then only rejoin() may be called again.
  void rejoin();

  [[nodiscard]] Stats stats() const;

  /// For FencedCell (fenced_cell.hpp), which gives these types.
  [[nodiscard]] int openCell(std::string_view name, std::size_t size);
  [[nodiscard]] Status writeCell(int cell, std::span<const std::byte> value, std::uint64_t fence);
  [[nodiscard]] Result<std::uint64_t> readCell(int cell, std::span<std::byte> value) const;

 private:
  friend class Section;
  void releaseSection(std::uint64_t membership, std::uint64_t fence) noexcept;

  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ronde
