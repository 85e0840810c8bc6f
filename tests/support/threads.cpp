#include "tests/support/threads.hpp"

#include <thread>

namespace ronde::testing {

std::vector<std::string> inThreads(int n, const std::function<std::string(int)>& body) {
  std::vector<std::string> results(static_cast<std::size_t>(n));
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < n; ++i) {
      threads.emplace_back([&, i] {
        std::string& result = results[static_cast<std::size_t>(i)];
        try {
          result = body(i);
        } catch (const std::exception& failure) {
          result = "<threw: " + std::string(failure.what()) + ">";
        }
      });
    }
  }
  return results;
}

}  // namespace ronde::testing
