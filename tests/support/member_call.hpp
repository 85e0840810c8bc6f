#pragma once

#include <future>
#include <thread>

#include "tests/support/bare_group.hpp"

namespace ronde::testing {

/// Options under which a waiting call sleeps at once, so that a test can know that it waits.
inline Options blockingOptions() {
  Options options = scratchOptions();
  options.waiting = WaitMode::block;
  return options;
}

/// A member's call in a thread of its own. The member is stopped when a test ends before the call.
template <class Result>
class MemberCall {
 public:
  template <class Body>
  MemberCall(BareMember& member, Body body) : member_(&member) {
    member.context.doorbell().wake();  // so that a sleeper's mark is this call's
    result_ = std::async(std::launch::async, std::move(body));
  }
  MemberCall(MemberCall&&) noexcept = default;
  MemberCall& operator=(MemberCall&&) noexcept = default;
  ~MemberCall() {
    if (result_.valid()) member_->context.beginStopping();
  }

  [[nodiscard]] bool isOver() const {
    return result_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  /// Until the call sleeps (made with blockingOptions) or is over.
  void awaitAsleep() const {
    while ((member_->context.doorbell().word.load() & 1) == 0 && !isOver()) std::this_thread::yield();
  }
  Result get() { return result_.get(); }

 private:
  BareMember* member_;
  std::future<Result> result_;
};

}  // namespace ronde::testing
