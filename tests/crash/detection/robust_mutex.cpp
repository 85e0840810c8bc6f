#include "tests/crash/detection/robust_mutex.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "tests/crash/processes.hpp"
#include "tests/crash/shared_memory.hpp"

namespace ronde::crash {
namespace {

using namespace std::chrono_literals;

/// Anonymous memory that the victim and the waiters share.
struct Mutexes {
  std::array<pthread_mutex_t, kMaxSurvivors> each;
  std::atomic<bool> areHeld;
  Notices notices;
};

void makeRobust(pthread_mutex_t& mutex) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  const int error = pthread_mutex_init(&mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  if (error != 0) throw std::runtime_error("no robust mutex here, error " + std::to_string(error));
}

/// By glibc's own word of it.
bool isAwaited(const pthread_mutex_t& mutex) {
  const auto word = static_cast<unsigned>(reinterpret_cast<const std::atomic<int>&>(mutex.__data.__lock).load());
  return (word & FUTEX_WAITERS) != 0;
}

}  // namespace

std::vector<double> timeRobustMutexes(int waiters, std::size_t touchedBytes, const Placement& placement,
                                      int rounds) {
  const auto count = static_cast<std::size_t>(waiters);
  auto* const memory = sharedMemory<Mutexes>(1);
  std::vector<double> times;
  for (int round = 0; round < rounds; ++round) {
    Mutexes& mutexes = *new (memory) Mutexes{};
    for (std::size_t i = 0; i < count; ++i) makeRobust(mutexes.each[i]);
    Processes processes;
    const pid_t victim = processes.fork([&] {
      placeOn(placement.victim);
      for (std::size_t i = 0; i < count; ++i) pthread_mutex_lock(&mutexes.each[i]);
      touchMemory(touchedBytes);
      mutexes.areHeld = true;
      for (;;) pause();
    });
    await("the victim has the mutexes", [&] { return mutexes.areHeld.load(); });
    for (std::size_t i = 0; i < count; ++i) {
      processes.fork([&, i] {
        placeOn(placement.survivors);
        if (pthread_mutex_lock(&mutexes.each[i]) == EOWNERDEAD) mutexes.notices[i] = nowNs();
        for (;;) pause();
      });
      await("a waiter waits", [&] { return isAwaited(mutexes.each[i]); });
    }
    std::this_thread::sleep_for(5ms);
    const Incident kill = signalAndAwait(victim, SIGKILL, mutexes.notices, count);
    times.push_back(millisecondsBetween(kill.signalled, kill.allKnew));
  }
  munmap(memory, sizeof(Mutexes));
  return times;
}

}  // namespace ronde::crash
