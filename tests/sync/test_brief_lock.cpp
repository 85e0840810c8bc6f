#include "ipc/sync/brief_lock.hpp"

#include <mutex>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde::detail;
using namespace ronde::testing;

TEST_CASE("brief lock: one at a time", "[sync]") {
  const Watchdog watchdog;
  BriefLock lock;
  CHECK(lock.try_lock());
  CHECK_FALSE(lock.try_lock());
  lock.unlock();
  const std::lock_guard guard(lock);
  CHECK_FALSE(lock.try_lock());
}

TEST_CASE("brief lock: who sleeps gets it, whether or not it is woken", "[sync]") {
  const Watchdog watchdog;
  BriefLock lock;
  lock.lock();
  std::atomic<bool> passed{false};
  std::thread sleeper([&] {
    const std::lock_guard guard(lock);
    passed = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // it sleeps by now, most likely
  CHECK_FALSE(passed);
  lock.unlock();
  sleeper.join();
  CHECK(passed);
}

TEST_CASE("brief lock: threads exclude each other", "[sync][threads]") {
  const Watchdog watchdog;
  BriefLock lock;
  long entries = 0;  // protected by the lock alone
  runTogether(4, [&](int) {
    for (int i = 0; i < 2000; ++i) {
      const std::lock_guard guard(lock);
      if (++entries % 8 == 0) std::this_thread::yield();  // so that the others have to wait
    }
  });
  CHECK(entries == 4 * 2000);
}
