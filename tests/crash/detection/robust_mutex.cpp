#include "tests/crash/detection/robust_mutex.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/crash/cores.hpp"
#include "tests/crash/detection/setting.hpp"
#include "tests/crash/processes.hpp"
#include "tests/crash/shared_memory.hpp"

namespace ronde::crash {
namespace {

using namespace std::chrono_literals;

/// Anonymous memory that victim and waiter share.
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

std::vector<double> timeRobustMutex(std::size_t touchedBytes, const std::vector<int>& cores, int rounds) {
  auto* const memory = sharedMemory<Pair>(1);
  std::vector<double> delays;
  for (int round = 0; round < rounds; ++round) {
    Pair& pair = *new (memory) Pair{};
    makeRobust(pair.mutex);
    Processes processes;
    const pid_t victim = processes.fork([&] {
      if (!cores.empty()) pinTo({cores[0]});
      pthread_mutex_lock(&pair.mutex);
      const std::vector<char> touched(touchedBytes, 1);
      pair.isHeld = true;
      for (;;) pause();
    });
    await("the victim has the mutex", [&] { return pair.isHeld.load(); });
    processes.fork([&] {
      if (!cores.empty()) pinTo({cores[1]});
      pair.isAwaited = true;
      if (pthread_mutex_lock(&pair.mutex) == EOWNERDEAD) pair.takenAt = nowNs();
      for (;;) pause();
    });
    await("the other one asks for it", [&] { return pair.isAwaited.load(); });
    std::this_thread::sleep_for(5ms);
    const std::int64_t from = nowNs();
    kill(victim, SIGKILL);
    await("the other one has it", [&] { return pair.takenAt != 0; });
    delays.push_back(static_cast<double>(pair.takenAt - from) / 1e6);
  }
  munmap(memory, sizeof(Pair));
  return delays;
}

}  // namespace ronde::crash
