#include "tests/crash/tracee.hpp"

#include <dlfcn.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <regex>
#include <stdexcept>

extern "C" const char __executable_start;
extern "C" const char etext;

namespace ronde::crash {
namespace {

constexpr std::uint16_t kSyscall = 0x050f;
constexpr long kFutexWaitv = 449;
/// A system call that has not returned by then is taken as waiting for somebody.
constexpr std::chrono::milliseconds kSyscallLimit{3};

long reg(pid_t tid, std::size_t offset) { return ptrace(PTRACE_PEEKUSER, tid, offset, nullptr); }
std::uint64_t instructionPointer(pid_t tid) {
  return static_cast<std::uint64_t>(reg(tid, offsetof(user_regs_struct, rip)));
}

/// A step is two switches between tracer and tracee: cheap only if both use one core. The child's other threads
/// stay free.
class OneCore {
 public:
  explicit OneCore(pid_t tid) : tid_(tid) {
    sched_getaffinity(0, sizeof(all_), &all_);
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(sched_getcpu(), &core);
    sched_setaffinity(0, sizeof(core), &core);
    sched_setaffinity(tid, sizeof(core), &core);
  }
  OneCore(const OneCore&) = delete;
  OneCore& operator=(const OneCore&) = delete;
  ~OneCore() {
    sched_setaffinity(0, sizeof(all_), &all_);
    sched_setaffinity(tid_, sizeof(all_), &all_);
  }

 private:
  pid_t tid_;
  cpu_set_t all_;
};

/// Without namespaces, arguments and template arguments: they are longer than what they tell.
std::string shortened(std::string text) {
  static const std::regex noise(R"(\([^()]*\)|<[^<>]*>|\[[^\[\]]*\]|(ronde|crash|detail|std|__cxx11)::| const)");
  for (std::string before; before != text;) {
    before = text;
    text = std::regex_replace(text, noise, "");
  }
  return text;
}

/// Function and source line of a code address.
std::string lineOf(std::uint64_t address) {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(address), &info) == 0) return "?";
  std::array<char, 64> offset{};
  std::snprintf(offset.data(), offset.size(), "%#lx", address - reinterpret_cast<std::uint64_t>(info.dli_fbase));
  // Our own name may be relative to a folder that we have left.
  const bool isOwn = std::string(info.dli_fname).find(".so") == std::string::npos;
  const std::string file = isOwn ? "/proc/" + std::to_string(getpid()) + "/exe" : info.dli_fname;
  const std::string command = "addr2line -Cfpse " + file + " " + offset.data() + " 2>/dev/null";
  std::string text;
  if (FILE* pipe = popen(command.c_str(), "r")) {
    std::array<char, 256> line{};
    while (std::fgets(line.data(), line.size(), pipe) != nullptr) text += line.data();
    pclose(pipe);
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (!isOwn && info.dli_sname != nullptr) text = info.dli_sname;
  return text.empty() ? file + offset.data() : shortened(text);
}

}  // namespace

Tracee Tracee::atMark(pid_t child) {
  Tracee tracee(child);
  for (;;) {
    if (waitpid(child, &tracee.status_, __WALL) != child)
      throw std::runtime_error("waiting for the victim failed");
    if (!WIFSTOPPED(tracee.status_)) throw std::runtime_error("the victim ended before its operation");
    const int signal = WSTOPSIG(tracee.status_);
    if (signal == SIGTRAP) return tracee;
    ptrace(PTRACE_CONT, child, nullptr, signal);
  }
}

Tracee Tracee::seized(pid_t tid) {
  Tracee tracee(tid);
  if (ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) != 0 || ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr) != 0 ||
      waitpid(tid, &tracee.status_, __WALL) != tid) {
    throw std::runtime_error("cannot trace a service thread");
  }
  return tracee;
}

bool Tracee::awaitStop(bool mayBlock, const Rules& rules) {
  const auto start = std::chrono::steady_clock::now();
  while (mayBlock) {
    const pid_t got = waitpid(tid_, &status_, __WALL | WNOHANG);
    if (got == tid_) return true;
    if (got < 0) throw std::runtime_error("waitpid failed");
    if (std::chrono::steady_clock::now() - start > kSyscallLimit) {
      if (!rules.onBlocked || !rules.onBlocked()) return false;
      mayBlock = false;
    }
    sched_yield();
  }
  if (waitpid(tid_, &status_, __WALL) != tid_) throw std::runtime_error("a step did not end in time");
  return true;
}

Tracee::End Tracee::step(std::uint64_t limit, const Rules& rules) {
  const OneCore oneCore(tid_);
  long signal = 0;
  for (std::uint64_t made = 0; steps_ < limit; ++made) {
    const std::uint64_t at = instructionPointer(tid_);
    std::uint16_t code = 0;  // the child is a fork: its code is ours
    std::memcpy(&code, reinterpret_cast<const void*>(at), sizeof(code));
    if (std::memcmp(reinterpret_cast<const void*>(at), kEndMark.data(), kEndMark.size()) == 0) return End::done;
    const bool isSyscall = code == kSyscall;
    if (rules.untilSleep && isSyscall && made > 2 && reg(tid_, offsetof(user_regs_struct, rax)) == kFutexWaitv) {
      return End::done;
    }
    if (ptrace(PTRACE_SINGLESTEP, tid_, nullptr, signal) != 0)
      throw std::runtime_error("PTRACE_SINGLESTEP failed");
    if (!awaitStop(isSyscall, rules)) {
      sleepsInKernel_ = true;
      return End::blocked;
    }
    if (!WIFSTOPPED(status_)) return End::crashed;
    signal = WSTOPSIG(status_) == SIGTRAP ? 0 : WSTOPSIG(status_);
    const bool isSeen = !rules.isSeen || rules.isSeen(isSyscall);
    if (isSeen || isSyscall) ++steps_;
    if (rules.until && rules.until()) return End::stopped;
  }
  return End::steps;
}

Place Tracee::place() const {
  Place place;
  place.asleep = sleepsInKernel_;
  user_regs_struct regs{};
  if (sleepsInKernel_ || ptrace(PTRACE_GETREGS, tid_, nullptr, &regs) != 0) return place;
  place.addresses.push_back(regs.rip);
  // No frame pointers: words on the stack that point into our own code are most likely return addresses.
  std::array<std::uint64_t, 192> stack{};
  iovec local{stack.data(), sizeof(stack)};
  iovec remote{reinterpret_cast<void*>(regs.rsp), sizeof(stack)};
  const auto size = process_vm_readv(tid_, &local, 1, &remote, 1, 0);
  for (std::size_t i = 0; size > 0 && i < static_cast<std::size_t>(size) / 8 && place.addresses.size() < 8; ++i) {
    const bool isOwn = stack[i] > reinterpret_cast<std::uint64_t>(&__executable_start) &&
                       stack[i] < reinterpret_cast<std::uint64_t>(&etext);
    if (isOwn) place.addresses.push_back(stack[i] - 1);
  }
  return place;
}

std::string Place::text() const {
  if (asleep) return "asleep in the kernel";
  std::string text;
  for (const std::uint64_t address : addresses) {
    const std::string line = lineOf(address);
    if (text.empty() || line.find(".cpp:") != std::string::npos) text += (text.empty() ? "" : " <- ") + line;
    if (line.find("victim.cpp") != std::string::npos) break;
  }
  return text;
}

void Tracee::releaseStopped(pid_t process) {
  if (sleepsInKernel_) {
    // Only a stopped thread can be let go; whichever thread takes the signal, this one reports a stop.
    kill(process, SIGSTOP);
    waitpid(tid_, &status_, __WALL);
  }
  ptrace(PTRACE_DETACH, tid_, nullptr, SIGSTOP);
}

}  // namespace ronde::crash
