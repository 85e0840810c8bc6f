#pragma once

#include <functional>
#include <utility>

#include "ipc/sync/slot_lock.hpp"

namespace ronde::testing {

/// Answers for lock owners as the test says. As thread-safe as what it is given.
class StubOracle : public detail::OwnerOracle {
 public:
  using Answer = std::function<detail::OwnerState(Member)>;
  explicit StubOracle(Answer answer) : answer_(std::move(answer)) {}
  explicit StubOracle(detail::OwnerState all) : answer_([all](Member) { return all; }) {}
  detail::OwnerState ownerState(Member owner) override { return answer_(owner); }

 private:
  Answer answer_;
};

/// The bits of a lock in the segment, to read, or to write what only a dead owner or a garbage writer leaves.
inline detail::Word& wordOf(detail::SlotLock& lock) { return reinterpret_cast<detail::Word&>(lock); }

}  // namespace ronde::testing
