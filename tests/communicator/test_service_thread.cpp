#include "ipc/service_thread.hpp"

#include <atomic>
#include <thread>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto kInterval = 300ms;
constexpr auto kLimit = 3 * kInterval;

void beat(const BareMember& member) {
  member.table().beatAtNs =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now().time_since_epoch()).count());
  member.table().beats.fetch_add(1);
}

std::chrono::nanoseconds sinceBeat(const BareMember& member) {
  return Clock::now().time_since_epoch() - std::chrono::nanoseconds(member.table().beatAtNs.load());
}

/// P0 is the observer and the only one with a service thread. P1's last beat comes in the middle between two beats
/// of P0; P2 beats on. How long P0's last beat is ago when it evicts P1.
std::chrono::nanoseconds evictionAfterOwnBeat(bool registryIsBusy) {
  Options options = scratchOptions();
  options.heartbeatInterval = kInterval;
  options.heartbeatTimeout = kLimit;
  const BareGroup group(3, options);
  const BareMember& silent = group[1];
  BareMember& other = group[2];
  std::atomic<bool> over{false};
  std::thread heart([&] {
    for (; !over; std::this_thread::sleep_for(10ms)) beat(other);
  });
  beat(silent);
  std::chrono::nanoseconds passed{};
  {
    const ServiceThread observer(group[0].context, group[0].registry, {});
    const std::uint64_t before = group[0].table().beats;
    while (group[0].table().beats == before) std::this_thread::sleep_for(1ms);
    std::this_thread::sleep_for(kInterval / 2);
    beat(silent);
    if (registryIsBusy) {
      std::this_thread::sleep_for(kLimit - 20ms);
      SlotLock& lock = group.segment().control().registryLock;
      if (!holdsLock(lock.lock(other.self, other.liveness, soon()))) throw std::logic_error("no lock");
      std::this_thread::sleep_for(60ms);
      lock.unlock();
    }
    while (group[0].context.isActive(silent.self)) std::this_thread::sleep_for(1ms);
    passed = sinceBeat(group[0]);
  }
  over = true;
  heart.join();
  return passed;
}

}  // namespace

// An observer that looks only when it beats evicts right after a beat. A busy machine may delay any of this, so
// one time of several must do.
TEST_CASE("service thread: a silence that reaches the limit between two beats is judged then", "[threads]") {
  const Watchdog watchdog;
  const bool registryIsBusy = GENERATE(false, true);
  CAPTURE(registryIsBusy);
  bool isBetween = false;
  for (int attempt = 0; attempt < 5 && !isBetween; ++attempt) {
    isBetween = evictionAfterOwnBeat(registryIsBusy) > kInterval / 4;
  }
  CHECK(isBetween);
}
