#include "ipc/segment/fork_guard.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <vector>

namespace ronde::detail {
namespace {

std::atomic<std::uint64_t> generation{0};
std::mutex descriptorsMutex;

std::vector<int>& descriptors() {
  static auto* const list = new std::vector<int>();  // never destroyed: a child may fork during exit
  return *list;
}

void installHandlers() {
  static const int installed = pthread_atfork([] { descriptorsMutex.lock(); }, [] { descriptorsMutex.unlock(); },
                                              [] {
                                                for (const int fd : descriptors()) close(fd);
                                                descriptors().clear();
                                                generation.fetch_add(1, std::memory_order_relaxed);
                                                descriptorsMutex.unlock();
                                              });
  static_cast<void>(installed);
}

}  // namespace

std::uint64_t forkGeneration() noexcept { return generation.load(std::memory_order_relaxed); }

void closeInForkedChild(int fd) {
  installHandlers();
  const std::lock_guard guard(descriptorsMutex);
  descriptors().push_back(fd);
}

void forgetForkedChild(int fd) noexcept {
  const std::lock_guard guard(descriptorsMutex);
  std::erase(descriptors(), fd);
}

}  // namespace ronde::detail
