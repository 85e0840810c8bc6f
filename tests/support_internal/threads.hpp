#pragma once

#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cstddef>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace ronde::test {

/// Calls `body(i)` for i = 0 … count-1 in threads of their own, all at once, and waits for them.
template <class Body>
void runTogether(int count, Body body) {
  std::barrier<> gate(count);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&gate, &body, i] {
      gate.arrive_and_wait();
      body(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

/// A thread of which one can know that it sleeps in the kernel by now, so that a wake is put to the test.
class Sleeper {
 public:
  template <class Body>
  explicit Sleeper(Body body)
      : thread_([this, body] {
          id_.store(gettid());
          body();
          done_.store(true);
        }) {}
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() { thread_.join(); }

  void awaitAsleep() const {
    while (id_.load() == 0) std::this_thread::yield();
    const std::string path = "/proc/self/task/" + std::to_string(id_.load()) + "/stat";
    while (!done_.load()) {
      std::ifstream file(path);
      std::string text;
      std::getline(file, text);
      const std::size_t at = text.rfind(')');
      if (at != std::string::npos && text.at(at + 2) == 'S') return;
      std::this_thread::yield();
    }
  }
  [[nodiscard]] bool isDone() const { return done_.load(); }

 private:
  std::atomic<pid_t> id_{0};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace ronde::test
