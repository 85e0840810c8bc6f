#include "ipc/service_thread.hpp"

#include <atomic>
#include <ctime>
#include <thread>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

Options optionsWith(std::chrono::milliseconds interval) {
  Options options = scratchOptions();
  options.heartbeatInterval = interval;
  options.heartbeatTimeout = 3 * interval;
  return options;
}

void beat(const BareMember& member) {
  const std::chrono::nanoseconds now = Clock::now().time_since_epoch();
  member.table().beatAtNs = static_cast<std::uint64_t>(now.count());
  member.table().beats.fetch_add(1);
}

/// Beats for a member all the time.
class Heart {
 public:
  explicit Heart(const BareMember& member)
      : thread_([this, &member] {
          for (; !over_; std::this_thread::sleep_for(5ms)) beat(member);
        }) {}
  Heart(const Heart&) = delete;
  Heart& operator=(const Heart&) = delete;
  ~Heart() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

/// P0 is the observer and the only one with a service thread. P1's last beat comes in the middle between two beats
/// of P0; P2 beats on. In intervals: how long P0's last beat is ago when it evicts P1.
double evictionAfterOwnBeat(bool registryIsBusy) {
  constexpr auto kInterval = 300ms;
  const BareGroup group(3, optionsWith(kInterval));
  const BareMember& silent = group[1];
  BareMember& other = group[2];
  const Heart heart(other);
  beat(silent);
  const ServiceThread observer(group[0].context, group[0].registry, {});
  const std::uint64_t before = group[0].table().beats;
  while (group[0].table().beats == before) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(kInterval / 2);
  beat(silent);
  if (registryIsBusy) {
    std::this_thread::sleep_for(3 * kInterval - 20ms);
    SlotLock& lock = group.segment().control().registryLock;
    if (!holdsLock(lock.lock(other.self, other.liveness, soon()))) throw std::logic_error("no lock");
    const bool isInTime = group[0].context.isActive(silent.self);
    std::this_thread::sleep_for(60ms);
    lock.unlock();
    if (!isInTime) return 0;
  }
  while (group[0].context.isActive(silent.self)) std::this_thread::sleep_for(1ms);
  const std::chrono::nanoseconds now = Clock::now().time_since_epoch();
  return std::chrono::duration<double>(now - std::chrono::nanoseconds(group[0].table().beatAtNs.load())) /
         kInterval;
}

}  // namespace

// An observer that looks only when it beats evicts right after a beat; one that counts from the look that saw the
// last beat, right before or after one. A busy machine may delay any of this, so one time of several must do.
TEST_CASE("service thread: a silence that reaches the limit between two beats is judged then", "[threads]") {
  const Watchdog watchdog;
  const auto isBetween = [](double passed) { return passed > 0.25 && passed < 0.8; };
  double passed = 0;
  for (int attempt = 0; attempt < 5 && !isBetween(passed); ++attempt) passed = evictionAfterOwnBeat(false);
  CAPTURE(passed);
  CHECK(isBetween(passed));
}

TEST_CASE("service thread: an eviction that failed for the registry's lock is tried again before the next beat",
          "[threads]") {
  const Watchdog watchdog;
  const auto isBetween = [](double passed) { return passed > 0.25 && passed < 0.95; };
  double passed = 0;
  for (int attempt = 0; attempt < 5 && !isBetween(passed); ++attempt) passed = evictionAfterOwnBeat(true);
  CAPTURE(passed);
  CHECK(isBetween(passed));
}

// Its attempts to remove the dead wait for the lock, each time for longer than it may be late with its next look.
TEST_CASE(
    "service thread: who is stopped under the registry's lock is found silent also while the dead wait for it "
    "(P1)",
    "[threads]") {
  const Watchdog watchdog;
  const BareGroup group(3, optionsWith(10ms));
  SlotLock& lock = group.segment().control().registryLock;
  REQUIRE(holdsLock(lock.lock(group[1].self, group[1].liveness, soon())));
  group[2].die();
  const ServiceThread observer(group[0].context, group[0].registry, {});
  while (group[0].liveness.ownerState(group[1].self) != OwnerState::stopped) std::this_thread::sleep_for(1ms);
  lock.unlock();
  while (group[0].context.isActive(group[2].self)) std::this_thread::sleep_for(1ms);
  CHECK(group[0].context.isActive(group[0].self));
}

// The moment at which it was to look again is over, and it looks no more.
TEST_CASE("service thread: who is out sleeps between its beats", "[threads]") {
  const Watchdog watchdog;
  const BareGroup group(2, optionsWith(20ms));
  const ServiceThread observer(group[0].context, group[0].registry, {});
  const std::uint64_t before = group[0].table().beats;
  while (group[0].table().beats < before + 2) std::this_thread::sleep_for(1ms);
  group[0].setPhase(Phase::departed, Departure::silent);
  std::this_thread::sleep_for(100ms);
  const std::clock_t cpu = std::clock();
  std::this_thread::sleep_for(300ms);
  CHECK(std::clock() - cpu < CLOCKS_PER_SEC * 3 / 20);  // half of the time
}
