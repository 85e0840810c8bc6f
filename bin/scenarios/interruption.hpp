#pragma once

#include <atomic>
#include <mutex>
#include <ronde/communicator.hpp>
#include <thread>

namespace ronde::tool {

/// Turns SIGINT and SIGTERM into stop() of the process's communicator, so that it leaves its group cleanly and its
/// blocked calls return. To be constructed before any other thread starts: it blocks the signals in all of them.
class Interruption {
 public:
  Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  /// The communicator to stop from now on; null for none, and then a signal ends the process at once. Must be
  /// called with null before the communicator is destroyed.
  void guard(Communicator* communicator);

  /// Exit code of a process that was interrupted (128 + signal), 0 if it was not.
  [[nodiscard]] int exitCode() const { return exitCode_.load(); }

 private:
  void wait();

  std::mutex mutex_;
  Communicator* communicator_ = nullptr;
  std::atomic<int> exitCode_{0};
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

}  // namespace ronde::tool
