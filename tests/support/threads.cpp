#include "tests/support/threads.hpp"

#include <barrier>
#include <thread>

namespace ronde::testing {

void runTogether(int count, const std::function<void(int)>& body) {
  std::barrier<> start(count);
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      body(i);
    });
  }
  threads.clear();  // joins them while `start` still exists
}

std::vector<std::string> inThreads(int count, const std::function<std::string(int)>& body) {
  std::vector<std::string> results(static_cast<std::size_t>(count));
  runTogether(count, [&](int i) {
    std::string& result = results[static_cast<std::size_t>(i)];
    try {
      result = body(i);
    } catch (const std::exception& failure) {
      result = "<threw: " + std::string(failure.what()) + ">";
    }
  });
  return results;
}

}  // namespace ronde::testing
