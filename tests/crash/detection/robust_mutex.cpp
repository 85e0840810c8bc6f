#include "tests/crash/detection/robust_mutex.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/crash/detection/setting.hpp"
#include "tests/crash/processes.hpp"
#include "tests/crash/shared_memory.hpp"

namespace ronde::crash {
namespace {

using namespace std::chrono_literals;

/// Anonymous memory that the victim and one waiter share.
struct Pair {
  pthread_mutex_t mutex;
  std::atomic<bool> isHeld;
  std::atomic<bool> isAwaited;
  std::atomic<std::int64_t> takenAt;
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

}  // namespace

std::vector<double> timeRobustMutexes(std::size_t touchedBytes, int waiters, int rounds) {
  const auto count = static_cast<std::size_t>(waiters);
  Pair* const memory = sharedMemory<Pair>(count);
  const std::span<Pair> pairs(memory, count);
  std::vector<double> delays;
  for (int round = 0; round < rounds; ++round) {
    for (Pair& pair : pairs) makeRobust((new (&pair) Pair{})->mutex);
    Processes processes;
    const pid_t victim = processes.fork([&] {
      for (Pair& pair : pairs) pthread_mutex_lock(&pair.mutex);
      const std::vector<char> touched(touchedBytes, 1);
      for (Pair& pair : pairs) pair.isHeld = true;
      for (;;) pause();
    });
    await("the victim has the mutexes", [&] { return pairs.back().isHeld.load(); });
    for (Pair& pair : pairs) {
      processes.fork([&pair] {
        pair.isAwaited = true;
        if (pthread_mutex_lock(&pair.mutex) == EOWNERDEAD) pair.takenAt = nowNs();
        for (;;) pause();
      });
    }
    const auto all = [&](auto isSo) { return std::all_of(pairs.begin(), pairs.end(), isSo); };
    await("the others ask for them", [&] { return all([](const Pair& pair) { return pair.isAwaited.load(); }); });
    std::this_thread::sleep_for(5ms);
    const std::int64_t from = nowNs();
    kill(victim, SIGKILL);
    await("the others have them", [&] { return all([](const Pair& pair) { return pair.takenAt != 0; }); });
    for (const Pair& pair : pairs) delays.push_back(static_cast<double>(pair.takenAt - from) / 1e6);
  }
  munmap(memory, count * sizeof(Pair));
  return delays;
}

}  // namespace ronde::crash
