#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <ronde/message.hpp>
#include <string>

#include "tests/crash/soak/ledger.hpp"

namespace ronde::crash {

/// What a worker sends: this, then bytes of a pattern. A sender counts what it has sent with success, so that its
/// receivers see what is missing. After a send that did not succeed, where nobody knows who got it, it begins a
/// new epoch.
struct Stamp {
  std::uint32_t tag;      ///< of the pattern
  std::uint32_t epoch;    ///< of the sender's counting
  std::uint64_t ordinal;  ///< among the calls of this kind; sendTo: among those to this receiver
};

/// The rules that a member's incoming mail must keep, for one membership.
class Received {
 public:
  /// What `message`, returned by receive(), breaks; empty: nothing.
  [[nodiscard]] std::string check(const Message& message);
  /// The same for what receiveFromSync() or broadcastSync() took ahead of the rest.
  [[nodiscard]] static std::string checkContent(const Message& message);

  /// The last broadcasts of senders that are not in `view`; forgets what it knows of them.
  void reportDeparted(const View& view, Report& report);

 private:
  struct Sender {
    std::uint64_t stamp = 0;  ///< the Lamport time of its last message
    std::uint32_t epoch = 0;
    std::uint64_t directs = 0;  ///< the ordinal that comes next
    /// The same; nothing before the first one: we may have joined later.
    std::optional<std::uint64_t> broadcasts;
    std::optional<std::uint64_t> publishes;
    LastBroadcast last;
  };
  std::map<Member, Sender> senders_;
};

}  // namespace ronde::crash
