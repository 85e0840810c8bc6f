#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <thread>

namespace ronde::testing {

/// Returns once the thread sleeps in the kernel, which is how a test knows that a call blocks. A state, not a
/// delay. Throws if the thread does not exist.
void awaitAsleep(pid_t process, pid_t thread);
/// The same for a process with one thread of interest, the main one.
inline void awaitAsleep(pid_t process) { awaitAsleep(process, process); }

/// 'S' asleep, 'R' running, …; 0 if there is no such thread.
char threadState(pid_t process, pid_t thread);

/// The number by which the kernel knows the calling thread.
pid_t threadId();

/// A call made in a thread of its own. The constructor returns once it sleeps in the call, so that what the test
/// does next happens to a blocked call.
template <class Result>
class BlockedCall {
 public:
  explicit BlockedCall(std::function<Result()> call)
      : result_(std::async(std::launch::async, [this, made = std::move(call)] {
          thread_.store(threadId());
          thread_.notify_one();
          return made();
        })) {
    thread_.wait(0);
    // It may end early in a test that fails; then there is nobody to wait for.
    while (result_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      if (threadState(getpid(), thread_.load()) == 'S') return;
      std::this_thread::yield();
    }
  }
  /// Waits for its end.
  Result result() { return result_.get(); }
  [[nodiscard]] bool hasEnded() const {
    return result_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

 private:
  std::atomic<pid_t> thread_{0};
  std::future<Result> result_;
};

template <class Call>
BlockedCall(Call) -> BlockedCall<std::invoke_result_t<Call>>;

}  // namespace ronde::testing
