#pragma once

#include <chrono>
#include <cstddef>
#include <ronde/event.hpp>
#include <ronde/export.hpp>
#include <ronde/types.hpp>
#include <string>

namespace ronde {

/// What happens to a member whose process lives but gives no heartbeat.
enum class SilencePolicy : std::uint8_t {
  evict,  ///< it is excluded; if it holds a lock of the segment it is killed, so that the lock can be taken over
  wait,   ///< it stays; calls that need a lock it holds end at their deadline with Status::peerStopped
};

/// How a blocked call waits.
enum class WaitMode : std::uint8_t {
  adaptive,  ///< spin (only if the members have cores enough, as of their joining), then yield, then sleep in the
             ///< kernel
  busy,      ///< never sleep: lowest latency, one core each
  block,     ///< sleep at once: lowest load
};

/// What an asynchronous send does when the receiver's mailbox has no room. A message longer than 16 KiB that has
/// begun to travel waits for room in any case.
enum class FullPolicy : std::uint8_t {
  block,  ///< wait for room until the deadline, then Status::full
  fail,   ///< Status::full at once
  drop,   ///< drop the message, count it (Stats::dropped), return ok
};

/// Settings of one communicator. Those marked "group" are decided by the process that creates the group and
/// adopted by the others.
struct RONDE_EXPORT Options {
  /// The group's name: 1 to 31 bytes, no '/', not "." or "..". One segment per group and user.
  std::string group = "default";
  /// This process's name, unique among the living: 1 to 31 bytes without '/' or control characters.
  std::string name = defaultName();
  /// Size of the founding cohort (group): the constructor waits for that many. 1 to kMaxMembers.
  int expected = 1;
  /// Slots of the group (group), expected to kMaxMembers; 0 = twice expected, at least 16. A slot is in use
  /// while its member lives and until its last large broadcast was taken. Costs memory only once used.
  int capacity = 0;
  /// Bytes of a mailbox's payload area (group): 64 KiB to 1 GiB, rounded up to a power of two.
  std::size_t mailboxBytes = 128 * 1024;
  /// Messages that a mailbox holds at the most (group): 64 to 65536, a power of two.
  int mailboxMessages = 1024;
  /// The longest message in bytes (group): 1 to 256 MiB. Each member's outbox is made as large, rounded up to a
  /// power of two.
  std::size_t maxMessage = 256 * 1024;
  /// A heartbeat is given every so often (group): 10 ms to 60 s.
  std::chrono::milliseconds heartbeatInterval{500};
  /// A living member whose last heartbeat is older is evicted (group): at least three intervals, at most 10
  /// minutes. Heartbeats come once per interval, so a stop may last this long less one interval.
  std::chrono::milliseconds heartbeatTimeout{2000};
  SilencePolicy onSilent = SilencePolicy::evict;  ///< (group)
  WaitMode waiting = WaitMode::adaptive;
  FullPolicy onFull = FullPolicy::block;
  /// Deadline of every blocking call without a timeout of its own: 1 ms to 24 h.
  std::chrono::milliseconds timeout{30'000};
  /// How long the constructor waits for the founding cohort: 1 ms to 24 h.
  std::chrono::milliseconds registrationTimeout{30'000};
  /// Told of every event; empty = nobody (costs one branch per call).
  Observer observer;

  /// "p" and the process id.
  [[nodiscard]] static std::string defaultName();

  /// The defaults, changed by RONDE_GROUP, RONDE_NAME, RONDE_EXPECTED, RONDE_CAPACITY, RONDE_MAILBOX_BYTES,
  /// RONDE_MAILBOX_MESSAGES, RONDE_MAX_MESSAGE, RONDE_HEARTBEAT_INTERVAL_MS, RONDE_HEARTBEAT_TIMEOUT_MS,
  /// RONDE_ON_SILENT (evict|wait), RONDE_WAITING (adaptive|busy|block), RONDE_ON_FULL (block|fail|drop),
  /// RONDE_TIMEOUT_MS and RONDE_REGISTRATION_TIMEOUT_MS where they are set.
  /// @throws Error(invalidOption) naming the variable, its value and what is legal.
  [[nodiscard]] static Options fromEnvironment();

  /// @throws Error(invalidOption) naming the first illegal field, its value and the legal range.
  void validate() const;
};

}  // namespace ronde
