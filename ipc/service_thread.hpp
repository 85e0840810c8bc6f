#pragma once

#include <atomic>
#include <functional>
#include <latch>
#include <thread>
#include <vector>

#include "ipc/membership/context.hpp"
#include "ipc/membership/heartbeat.hpp"
#include "ipc/membership/registry.hpp"
#include "ipc/sync/life_word.hpp"

namespace ronde::detail {

/// The one background thread of a membership: gives our heartbeat, carries our life word, watches the others, and
/// starts what follows from a change (view change, clean-up). It decides nothing itself. Sleeps in one futex wait
/// on its own word and the life words of the others; wakes at each beat, when somebody's silence reaches the
/// limit, at a death, and when somebody changed the view.
class ServiceThread {
 public:
  struct Callbacks {
    std::function<void(std::uint64_t fromView, std::uint64_t toView)> viewChanged;
    std::function<void(const std::vector<Member>& beating)> heartbeats;
    std::function<void()> beat;  ///< once per beat of our own: publish counters, look at the token
    std::function<void()> evicted;
  };

  /// Starts, and returns once the life word is set. `firstView`: changes up to it are not reported.
  ServiceThread(MemberContext& context, Registry& registry, Callbacks callbacks);
  ServiceThread(const ServiceThread&) = delete;
  ServiceThread& operator=(const ServiceThread&) = delete;
  ~ServiceThread();

  /// From now on view changes are reported, beginning with the one after `view`.
  void reportViewsAfter(std::uint64_t view);

 private:
  void run();
  void beat();
  /// When to look again, if not before.
  [[nodiscard]] Clock::time_point judgeSilence();
  /// True if none of them is a member any more.
  [[nodiscard]] bool evict(const std::vector<Leaving>& silent);
  /// False of who is out of the group or about to be: it follows up no death and cleans nothing up.
  [[nodiscard]] bool takesPart() const;
  void removeDead(bool thorough);
  /// What stop() could not do because the registry was not to be had, once it has given everything else up.
  void removeOurselves();
  void reportViews();
  void sleepUntil(Clock::time_point wakeAt);

  MemberContext& context_;
  Registry& registry_;
  Callbacks callbacks_;
  LifeWord life_;
  SilenceJudge judge_;
  std::vector<FutexExpectation> watched_;
  std::atomic<std::uint64_t> reportedView_{UINT64_MAX};
  bool evictionReported_ = false;
  bool cleaned_ = true;            ///< nothing was left to do at the last clean-up
  bool removalFailed_ = false;     ///< of somebody dead, who is still in the group
  std::uint64_t damagedView_ = 0;  ///< a number under which there is no view: nothing to wake up for
  bool unnamedReported_ = false;
  std::atomic<bool> ending_{false};
  std::latch started_{1};
  std::thread thread_;
};

}  // namespace ronde::detail
