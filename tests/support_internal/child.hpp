#pragma once

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <new>
#include <utility>

#include "ipc/sync/futex.hpp"

namespace ronde::test {

/// An object that forked children share with the test.
template <class T>
class Shared {
 public:
  Shared() {
    void* memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    object_ = new (memory) T{};
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { munmap(object_, sizeof(T)); }
  T& operator*() const { return *object_; }
  T* operator->() const { return object_; }

 private:
  T* object_;
};

/// What processes wait for.
class Flag {
 public:
  void raise() {
    word_.store(1);
    detail::futexWakeAll(word_);
  }
  void await() const {
    while (word_.load() == 0) detail::futexWait(word_, 0, std::chrono::hours(1));
  }

 private:
  detail::Word word_{0};
};

/// A forked process that runs `body` and exits with its result. Killed and reaped at the end of the scope, and by
/// the kernel when the test dies. It asserts nothing: it reports by its exit code or a Shared object.
class Child {
 public:
  template <class Body>
  explicit Child(Body body) : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // Its deaths are its own, not the test framework's or a sanitizer's.
    for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGTERM, SIGALRM}) std::signal(signal, SIG_DFL);
    try {
      _exit(body());
    } catch (...) {
      _exit(kThrew);
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    static_cast<void>(wait());
  }

  static constexpr int kThrew = 99;

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const { kill(pid_, number); }
  /// Until it has ended, without reaping it: it is a zombie then.
  void awaitEnd() const {
    siginfo_t info{};
    waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  /// Reaps it. Exit code, or 128 + number of the signal that ended it.
  int wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

}  // namespace ronde::test
