#pragma once

#include "ipc/protocol/barrier.hpp"
#include "tests/support/member_call.hpp"

namespace ronde::testing {

/// A bare group with a barrier per member.
class Meeting {
 public:
  explicit Meeting(int size) : group(size, blockingOptions()) {
    for (std::size_t i = 0; i < group.size(); ++i) add(group[i]);
  }
  ~Meeting() {
    for (std::size_t i = 0; i < group.size(); ++i) group[i].context.beginStopping();
  }
  void join() { add(group.join()); }

  /// Arrives in this thread.
  Outcome arrive(std::size_t who, std::uint32_t n, detail::Deadline deadline = soon()) {
    return barriers_.at(who)->synchronize(n, deadline);
  }
  /// Arrives in a thread of its own.
  MemberCall<Outcome> start(std::size_t who, std::uint32_t n) {
    return MemberCall<Outcome>(group[who], [this, who, n] { return arrive(who, n); });
  }
  /// Arrives in a thread of its own and goes to sleep there, because others are missing.
  MemberCall<Outcome> arriveAndSleep(std::size_t who, std::uint32_t n) {
    auto call = start(who, n);
    call.awaitAsleep();
    return call;
  }
  /// Shuts a living member out.
  void evict(std::size_t who, std::size_t by) {
    BareGroup::installWithout(group[who], Departure::silent, group[by]);
    static_cast<void>(detail::cleanUp(group[by].context, group[by].registry));
  }
  [[nodiscard]] detail::BarrierState& state() const { return group.segment().control().barrier; }

  BareGroup group;

 private:
  void add(BareMember& member) {
    barriers_.push_back(std::make_unique<detail::Barrier>(member.context, member.roster));
  }
  std::vector<std::unique_ptr<detail::Barrier>> barriers_;
};

/// To be given as N: all members of the view.
inline constexpr std::uint32_t kAll = 0;

}  // namespace ronde::testing
