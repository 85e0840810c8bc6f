#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ronde::crash {

/// The victim stops here for its tracer.
[[gnu::always_inline]] inline void markBegin() { asm volatile("int3" ::: "memory"); }
/// Does nothing: the tracer, if there still is one, knows the instruction when it comes to it.
[[gnu::always_inline]] inline void markEnd() { asm volatile("xchg %%bx, %%bx" ::: "memory"); }
inline constexpr std::array<std::uint8_t, 3> kEndMark{0x66, 0x87, 0xdb};

/// Where a thread stands: its instruction, and what on its stack looks like our own callers. Children are forks,
/// so the explorer's own map is theirs, also when they are gone.
struct Place {
  std::vector<std::uint64_t> addresses;
  bool asleep = false;  ///< in the kernel

  /// Functions and source lines.
  [[nodiscard]] std::string text() const;
};

/// Steps one thread of a child, instruction by instruction. The child's other threads run on freely: they are no
/// part of the operation, and a group whose service threads are stepped as well would look silent.
class Tracee {
 public:
  /// A child that has called PTRACE_TRACEME. Waits for its first mark. @throws std::runtime_error if it does not
  /// come.
  static Tracee atMark(pid_t child);
  /// The thread `tid` of a child that is not traced: seized and stopped where it is.
  static Tracee seized(pid_t tid);

  enum class End {
    steps,    ///< all steps were made
    done,     ///< the operation ended before
    blocked,  ///< it sleeps in the kernel, and nobody will wake it
    stopped,  ///< `until` holds
    crashed,  ///< the process ended by itself
  };
  struct Rules {
    std::function<bool()> onBlocked;  ///< a system call does not return; false: it never will
    std::function<bool()> until;      ///< asked after each step
    bool untilSleep = false;          ///< ends where the service thread goes to sleep again
    /// If set, only what others can see counts as a step: system calls, and steps after which this says true.
    std::function<bool(bool wasSyscall)> isSeen;
  };
  /// Makes up to `limit` steps.
  End step(std::uint64_t limit, const Rules& rules);

  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  [[nodiscard]] Place place() const;
  /// Lets go of it and stops its whole process, as SIGSTOP from outside does.
  void releaseStopped(pid_t process);

 private:
  explicit Tracee(pid_t tid) : tid_(tid) {}
  bool awaitStop(bool mayBlock, const Rules& rules);

  pid_t tid_;
  int status_ = 0;
  std::uint64_t steps_ = 0;
  bool sleepsInKernel_ = false;
};

}  // namespace ronde::crash
