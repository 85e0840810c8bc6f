#include "ipc/segment/fork_guard.hpp"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <vector>

namespace ronde::detail {
namespace {

// Never destroyed: a child may fork during exit.
std::recursive_mutex& mutex() {
  static auto* const one = new std::recursive_mutex;
  return *one;
}
std::vector<int>& descriptors() {
  static auto* const list = new std::vector<int>;
  return *list;
}

void installHandlers() {
  static const int installed = pthread_atfork([] { mutex().lock(); }, [] { mutex().unlock(); },
                                              [] {
                                                for (const int fd : descriptors()) close(fd);
                                                descriptors().clear();
                                                forks.fetch_add(1, std::memory_order_relaxed);
                                                // Not unlock(): it is owned by the thread's id in the parent.
                                                new (&mutex()) std::recursive_mutex;
                                              });
  static_cast<void>(installed);
}

}  // namespace

ForkPause::ForkPause() : guard_((installHandlers(), mutex())) {}

void closeInForkedChild(int fd) { descriptors().push_back(fd); }

void forgetForkedChild(int fd) noexcept { std::erase(descriptors(), fd); }

}  // namespace ronde::detail
