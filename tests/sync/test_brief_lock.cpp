#include "ipc/sync/brief_lock.hpp"

#include <functional>
#include <mutex>
#include <thread>

#include "tests/support/catch.hpp"
#include "tests/support/sleeper.hpp"
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

TEST_CASE("brief lock: giving it back wakes all who sleep, and each of them gets it", "[sync]") {
  const Watchdog watchdog;
  BriefLock lock(std::chrono::hours(1));  // nobody looks again by itself
  const std::function<bool()> pass = [&lock] {
    const std::lock_guard guard(lock);
    return true;
  };
  for (int round = 0; round < 20; ++round) {
    lock.lock();
    BlockedCall<bool> one(pass);
    BlockedCall<bool> another(pass);
    CHECK_FALSE(one.hasEnded());
    lock.unlock();
    CHECK(one.result());
    CHECK(another.result());
  }
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
