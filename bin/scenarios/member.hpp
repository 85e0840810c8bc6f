#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <ronde/communicator.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "bin/scenarios/interruption.hpp"
#include "bin/scenarios/trace.hpp"

namespace ronde::tool {

/// Thrown when a process cannot go on as a member of its group.
struct Ended {
  enum class Why {
    evicted,
    interrupted,
    corrupt,
    unmet,  ///< the others live but do not come
  };
  Why why;
};

/// One process's membership in a scenario: its communicator, with everything that happens to it written to the
/// trace, and what the observer alone can tell. Used by the scenario's one thread.
class ScenarioMember {
 public:
  /// REGISTER. @throws Error as the communicator's constructor.
  ScenarioMember(const ScenarioSettings& settings, Interruption& interruption);
  ScenarioMember(const ScenarioMember&) = delete;
  ScenarioMember& operator=(const ScenarioMember&) = delete;
  ~ScenarioMember();

  [[nodiscard]] Communicator& com() { return *com_; }
  [[nodiscard]] Trace& trace() { return trace_; }

  /// The current view, which gives ids their meaning from now on. @throws Ended if we are not in it.
  [[nodiscard]] View view();
  /// The members of the founding cohort that are in `view`: those of its first members that as many departures
  /// leave. The same list for everybody who sees equally many departures, since latecomers are appended.
  [[nodiscard]] std::vector<Member> foundersIn(const View& view) const;

  /// Waits until a heartbeat of every other member was seen, or `limit` is over, or we are out. True if all were.
  [[nodiscard]] bool awaitHeartbeats(std::chrono::milliseconds limit);

  /// @throws Ended if `outcome` is the end of this membership.
  static void check(const Outcome& outcome);
  /// Shows a refusal of `call` in the trace; nothing for ok. @throws Ended as check() does.
  void handle(std::string_view call, const Outcome& outcome);

  /// Takes messages for `time`, at least all that are there. `onMessage(const Message&)` ends it by returning
  /// true; true is returned then.
  template <class OnMessage>
  bool takeMail(std::chrono::nanoseconds time, OnMessage onMessage) {
    const auto end = std::chrono::steady_clock::now() + time;
    for (;;) {
      const auto left = end - std::chrono::steady_clock::now();
      const auto message = left.count() > 0 ? com().receive(left) : com().tryReceive();
      if (message) {
        if (onMessage(*message)) return true;
      } else if (left.count() <= 0 && message.status() == Status::empty) {
        return false;
      } else if (message.status() != Status::timeout && message.status() != Status::empty) {
        handle("receive", message.outcome());
      }
    }
  }

 private:
  ScenarioMember(const ScenarioSettings& settings, Interruption& interruption, Options options);
  void observe(const Event& event);

  const int expected_;
  Trace trace_;
  std::mutex mutex_;  ///< protects the next four: the observer is called by several threads
  std::condition_variable changed_;
  View latest_;
  std::set<std::string, std::less<>> beating_;  ///< names of the members whose heartbeat was seen
  bool out_ = false;                            ///< evicted or stopping

  Interruption& interruption_;
  std::unique_ptr<Communicator> com_;
};

}  // namespace ronde::tool
