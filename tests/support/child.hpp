#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/gate.hpp"

namespace ronde::testing {

/// A forked process that runs one function, sends what it returns through a pipe, and leaves by _exit. It asserts
/// nothing and never returns into the test framework. Killed and reaped at the end of its scope.
class Child {
 public:
  explicit Child(const std::function<std::string()>& body);
  Child(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Waits for its end. What the body returned; anything else in brackets, e.g. "<signal 9>" or "<threw: …>".
  std::string report();
  /// Waits for its end without reaping it: it is a zombie then.
  void awaitEnd() const;
  /// Waits until the child opens `gate`. Throws with its report if it ends instead.
  void awaitOpen(const Gate& gate);
  /// SIGKILL; returns once the process is gone.
  void kill();
  /// SIGSTOP; returns once the process is stopped.
  void stop() const;
  /// SIGCONT.
  void resume() const;

 private:
  [[nodiscard]] bool hasEnded() const;
  void reap();

  pid_t pid_ = -1;
  int pipe_ = -1;
  bool reaped_ = false;
  int status_ = 0;
};

/// Children 0 to n-1, each running `body` with its number.
std::vector<Child> forkChildren(int n, const std::function<std::string(int)>& body);

/// For the body of a child that is to be killed.
[[noreturn]] std::string stayUntilKilled();

/// Waits until each of them has opened `gate` once.
void awaitOpen(std::vector<Child>& children, const Gate& gate);

/// Their reports, in order.
std::vector<std::string> reportsOf(std::vector<Child>& children);

/// Field 22 of /proc/<pid>/stat, read in another way than the library does.
std::uint64_t startTimeOf(pid_t pid);

}  // namespace ronde::testing
