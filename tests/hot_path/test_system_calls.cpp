// Once warm, the calls measured here neither allocate memory nor enter the kernel while they need not sleep:
// sendTo, publish and receiveInto, the barrier and the section alone, a ping-pong and a synchronous send between
// two who spin.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <thread>

#include <algorithm>
#include <array>
#include <memory_resource>
#include <ronde/inspect.hpp>
#include <stdexcept>

#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/skip.hpp"

namespace {

thread_local long allocations = 0;
std::atomic<long> systemCalls{0};
std::atomic<int> lastSystemCall{-1};

void noteSystemCall(int /*signal*/, siginfo_t* info, void* /*context*/) {
  systemCalls.fetch_add(1);
  lastSystemCall.store(info->si_syscall);
}

/// From now on the calling thread's system calls are counted and not carried out, for good. Only the clock may be
/// asked: it is no system call where the vDSO answers.
void refuseSystemCalls() {
  struct sigaction action {};
  action.sa_sigaction = noteSystemCall;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGSYS, &action, nullptr);
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  };
  const sock_fprog filter{sizeof(program) / sizeof(program[0]), program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    throw std::runtime_error("no seccomp filter is allowed here");
  }
}

}  // namespace

// For the whole program: every allocation of the library goes through here.
void* operator new(std::size_t size) {
  ++allocations;
  void* const memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t size, std::align_val_t alignment) {  // what polymorphic memory resources call
  ++allocations;
  const auto unit = std::max(static_cast<std::size_t>(alignment), sizeof(void*));
  void* const memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}

namespace {

using namespace ronde;
using namespace ronde::testing;

constexpr int kWarmUp = 2500;  // more than a mailbox holds, so that every page of it was touched
constexpr int kCounted = 2500;

/// In a process of its own: `once` again and again, at last under the filter. Returns what was counted.
template <class Once>
std::string costOf(Once once) {
  std::atomic<bool> isDone{false};
  std::string failure;
  long allocated = -1;
  std::thread measured([&] {
    try {
      for (int i = 0; i < kWarmUp; ++i) once();
      refuseSystemCalls();
      const long before = allocations;
      for (int i = 0; i < kCounted; ++i) once();
      allocated = allocations - before;
    } catch (const std::exception& error) {
      failure = error.what();
    }
    isDone.store(true);
    for (;;) asm volatile("");  // it cannot end without a system call; the process ends it
  });
  while (!isDone.load()) usleep(1000);
  measured.detach();
  if (!failure.empty()) return failure;
  std::string text = std::to_string(allocated) + " allocations, " + std::to_string(systemCalls) + " system calls";
  if (systemCalls != 0) text += " (the last: " + std::to_string(lastSystemCall) + ")";
  return text;
}

constexpr const char* kNothing = "0 allocations, 0 system calls";

void require(bool isDone) {
  if (!isDone) throw std::runtime_error("a call was refused");
}

/// Of an operation of the only member of a group.
template <class Once>
std::string costAlone(Once once) {
  const ScratchGroup group;
  Child child([&] {
    Communicator com(group.options("alone"));
    return costOf([&] { once(com); });
  });
  std::string report = child.report();
  removeStaleSegments();  // the child ended in the middle of its membership
  return report;
}

/// Of what P0 does, while P1 does its part in another process, on another core. Both spin.
template <class Part>
std::string costBeside(Part part) {
  const ScratchGroup group;
  const auto member = [&](int id) {
    Options options = group.options(id, 2);
    options.waiting = WaitMode::busy;
    return options;
  };
  Child other([&] {
    Communicator com(member(1));
    for (int i = 0; i < kWarmUp + kCounted; ++i) part(com, 1 - com.id(), false);
    return stayUntilKilled();
  });
  Child measured([&] {
    Communicator com(member(0));
    return costOf([&] { part(com, 1 - com.id(), true); });
  });
  std::string report = measured.report();
  other.kill();
  removeStaleSegments();
  return report;
}

bool hasTwoCores() {
  cpu_set_t cores;
  return sched_getaffinity(0, sizeof(cores), &cores) == 0 && CPU_COUNT(&cores) >= 2;
}

std::array<std::byte, 1024> sent{};
std::array<std::byte, 1024> received{};

}  // namespace

TEST_CASE("a message to oneself costs no allocation and no system call", "[process]") {
  CHECK(costAlone([](Communicator& com) {
          require(com.sendTo(std::span<const std::byte>(sent), com.id()).ok());
          require(com.receiveInto(received).ok());
        }) == kNothing);
  CHECK(costAlone([](Communicator& com) {
          require(com.publish(std::span<const std::byte>(sent)).ok());
          require(com.receiveInto(received).ok());
        }) == kNothing);
}

TEST_CASE("barrier and critical section, alone, cost no allocation and no system call", "[process]") {
  CHECK(costAlone([](Communicator& com) { require(com.synchronize().ok()); }) == kNothing);
  CHECK(costAlone([](Communicator& com) {
          auto section = com.requestSC();
          require(section.ok());
          section->release();
        }) == kNothing);
}

TEST_CASE("a ping-pong between processes that spin costs no allocation and no system call", "[process]") {
  if (!hasTwoCores()) return skip("nobody spins on a single core");
  CHECK(costBeside([](Communicator& com, MemberId to, bool begins) {
          if (begins) require(com.sendTo(std::span<const std::byte>(sent).first(64), to).ok());
          require(com.receiveInto(received).ok());
          if (!begins) require(com.sendTo(std::span<const std::byte>(sent).first(64), to).ok());
        }) == kNothing);
}

TEST_CASE("a synchronous send to a process that spins costs no allocation and no system call", "[process]") {
  if (!hasTwoCores()) return skip("nobody spins on a single core");
  CHECK(costBeside([](Communicator& com, MemberId peer, bool begins) {
          if (begins) {
            require(com.sendToSync(std::span<const std::byte>(sent).first(64), peer).ok());
          } else {
            require(com.receiveFromSync(peer).ok());
          }
        }) == kNothing);
}

// The counters themselves.
TEST_CASE("an allocation through a polymorphic memory resource is seen", "[process]") {
  CHECK(costAlone([](Communicator&) {
          std::array<std::byte, 16> first;
          std::pmr::monotonic_buffer_resource memory(first.data(), first.size());
          const std::pmr::vector<int> numbers(100, &memory);
        }) == "2500 allocations, 0 system calls");
}

TEST_CASE("the cost of a call that allocates and of one that sleeps is seen", "[process]") {
  CHECK(costAlone([](Communicator& com) {
          require(com.sendTo("a", com.id()).ok());
          require(com.receive().ok());
        }) == "2500 allocations, 0 system calls");
  const std::string report =
      costAlone([](Communicator& com) { require(!com.receive(std::chrono::microseconds(500))); });
  CHECK(report.find("0 allocations") == 0);
  CHECK(report.find(" 0 system calls") == std::string::npos);
}
