#pragma once

#include <optional>
#include <vector>

#include "tests/fuzz/input.hpp"
#include "tests/support/bare_group.hpp"
#include "tests/support/stub_oracle.hpp"

namespace ronde::fuzz {

/// The mailbox of member 0 and the outboxes of members 1 and 2 in a real segment, made once. Every run begins in
/// the same state; what the runs have no business with is poisoned, where there is an address sanitizer.
class RingStage {
 public:
  static constexpr std::uint32_t kMembers = 3;

  /// The only one of the process, which keeps it.
  static RingStage& get();

  /// Everything as it was at the beginning, also the private halves.
  void reset();
  /// A new private half, as after a restart of the owner.
  void reopenInbox() { inbox_.emplace(segment(), member(0), oracle_, testing::soon()); }

  [[nodiscard]] const detail::Segment& segment() const { return group_.segment(); }
  [[nodiscard]] Member member(std::uint32_t slot) const { return group_[slot].self; }
  [[nodiscard]] detail::Inbox& inbox() { return *inbox_; }
  [[nodiscard]] detail::Outbox& outbox(std::uint32_t slot) { return *outboxes_[slot]; }
  /// For pushing into member 0's mailbox.
  [[nodiscard]] detail::Mailbox mailboxFor(std::uint32_t sender) {
    return {segment(), member(0), member(sender), oracle_};
  }
  /// Writes what the input says over a word of the structures in use.
  void patchSomething(Input& input);

 private:
  struct Stretch {
    std::byte* at;
    std::size_t bytes;
  };

  RingStage();
  void poison() const;

  testing::BareGroup group_;
  /// Nobody else lives: a garbled lock is nobody's, and no run waits for its owner.
  testing::StubOracle oracle_{detail::OwnerState::dead};
  std::vector<Stretch> state_;
  std::vector<std::byte> snapshot_;
  std::optional<detail::Inbox> inbox_;
  std::vector<std::optional<detail::Outbox>> outboxes_{kMembers};
};

}  // namespace ronde::fuzz
