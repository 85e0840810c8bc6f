// The token ring in random runs: beside a dumb model, and with all members in threads.

#include <array>
#include <map>
#include <thread>

#include "ipc/protocol/token_ring.hpp"
#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/random.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

constexpr Member kNobody{};

struct RingMember {
  RingMember(const Options& options, int number)
      : member(options, "n" + std::to_string(number)), ring(member.context, member.roster) {}
  BareMember member;
  TokenRing ring;
};

}  // namespace

// P3: at most one holder, and the fence strictly grows. The model is a list of members in arrival order and the
// place of the token in it.
TEST_CASE("token ring: random operations agree with a list of members", "[protocol]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  const Options options = scratchOptions(1);
  std::map<Member, std::unique_ptr<RingMember>> members;
  std::vector<Member> order;  // the living, by arrival
  Member rests;               // where the token is …
  Member holder = kNobody;    // … and who is in the section with it
  std::uint64_t fence = 0;
  int names = 0;
  const auto successorOf = [&](Member member) {
    const auto at = std::find(order.begin(), order.end(), member);
    return at + 1 == order.end() ? order.front() : *(at + 1);
  };
  const auto join = [&] {
    auto made = std::make_unique<RingMember>(options, ++names);
    REQUIRE(made->member.admit() == Admission::admitted);
    static_cast<void>(cleanUp(made->member.context, made->member.registry));
    order.push_back(made->member.self);
    members[made->member.self] = std::move(made);
  };
  join();
  rests = order.front();
  for (int step = 0; step < 6000; ++step) {
    CAPTURE(step);
    const Member who = order[random.below(order.size())];
    TokenRing& ring = members.at(who)->ring;
    switch (random.below(10)) {
      case 0:
        if (order.size() < 10) join();
        break;
      case 1: {  // a death, perhaps of the holder, buried by anybody else
        if (order.size() < 2) break;
        const Member heir = successorOf(who);
        std::erase(order, who);
        if (rests == who) rests = heir;
        if (holder == who) holder = kNobody;
        const auto node = members.extract(who);
        node.mapped()->member.die();
        const BareMember& by = members.at(order[random.below(order.size())])->member;
        BareGroup::installWithout(node.mapped()->member, Departure::died, by);
        REQUIRE(cleanUp(by.context, by.registry));
        break;
      }
      case 2:
      case 3:
      case 4:
      case 5: {
        const auto grant = ring.tryRequest();
        REQUIRE((grant.status == Status::ok) == (holder == kNobody));
        if (grant.status != Status::ok) break;
        REQUIRE(grant.fence == fence + 1);
        fence = grant.fence;
        rests = holder = who;
        break;
      }
      default: {
        const auto handover = ring.release(ring.heldFence());
        REQUIRE((handover.status == Status::ok) == (holder == who));
        if (handover.status != Status::ok) break;
        holder = kNobody;
        rests = successorOf(who);
        REQUIRE(handover.toSlot == rests.slot);
      }
    }
    const Token token = members.at(order.front())->ring.token();
    REQUIRE(token.holder == rests.slot + 1);
    REQUIRE(token.held == (holder != kNobody));
    REQUIRE(token.fence == fence);
  }
  CHECK(fence > 200);  // or the run showed little
}

// P3 with real races: many members, short deadlines, and deaths inside and outside of the section.
TEST_CASE("token ring: one holder at a time and growing fences while members die", "[protocol][threads]") {
  const Watchdog watchdog;
  const Random seeds;
  CAPTURE(seeds.seed());
  constexpr int kMembers = 6;
  constexpr int kGrants = 1500;
  const BareGroup group(kMembers);
  std::vector<std::unique_ptr<TokenRing>> rings;
  for (std::size_t i = 0; i < kMembers; ++i) {
    rings.push_back(std::make_unique<TokenRing>(group[i].context, group[i].roster));
  }
  struct {
    int inside = 0;  // atomics would hide what is to be shown; the section alone protects these
    std::uint64_t fence = 0;
    int grants = 0;
  } section;
  std::atomic<int> faults{0};
  std::atomic<int> grants{0};
  std::array<std::atomic<bool>, kMembers> dead{};
  runTogether(kMembers, [&](int thread) {
    const auto who = static_cast<std::size_t>(thread);
    Random random(seeds.seed() + who);
    const bool dies = who == 2 || who == 4;  // P0 buries them
    while (grants < kGrants) {
      if (who == 0) {
        for (const std::size_t victim : {2U, 4U}) {
          if (dead[victim] && group[victim].word().phase == Phase::active) group.bury(group[victim], group[0]);
        }
      }
      const auto limit = std::chrono::microseconds(random.oneIn(3) ? random.below(300) : 50'000);
      const auto grant = random.oneIn(5) ? rings[who]->tryRequest() : rings[who]->request(Deadline::in(limit));
      if (grant.status == Status::timeout || grant.status == Status::empty) continue;
      if (grant.status != Status::ok || section.inside != 0 || grant.fence <= section.fence) ++faults;
      section.inside = 1;
      section.fence = grant.fence;
      ++section.grants;
      if (random.oneIn(4)) std::this_thread::yield();
      section.inside = 0;
      if (dies && ++grants > kGrants / 4 * static_cast<int>(who / 2)) {
        if (random.oneIn(2)) static_cast<void>(rings[who]->release(grant.fence));  // or it dies with the token
        dead[who] = true;
        return;
      }
      grants += dies ? 0 : 1;
      if (rings[who]->release(grant.fence).status != Status::ok) ++faults;
    }
  });
  CHECK(faults == 0);
  CHECK(section.grants == grants);
  CHECK(section.fence >= static_cast<std::uint64_t>(section.grants));
}

// SYNC: token-repair, by racing: a release against the eviction of the member that it would choose. Whoever wins,
// the token must not end with the evicted.
TEST_CASE("token ring: a release that races with an eviction never leaves the token with the evicted",
          "[protocol][threads]") {
  const Watchdog watchdog;
  const BareGroup group(3);
  std::vector<std::unique_ptr<TokenRing>> rings;
  for (std::size_t i = 0; i < 3; ++i) {
    rings.push_back(std::make_unique<TokenRing>(group[i].context, group[i].roster));
  }
  const Views& views = group[0].context.views;
  ViewData with = *views.current();
  ViewData without = with;
  without.members.erase(without.members.begin() + 1);
  auto& wants = group.segment().control().wants[1];
  constexpr int kRounds = 20'000;
  std::atomic<int> started{0};
  std::atomic<int> finished{0};
  std::atomic<std::uint64_t> fence{0};
  int faults = 0;
  const auto await = [](const std::atomic<int>& what, int value) {
    for (int looks = 0; what.load() < value; ++looks) looks < 2000 ? cpuRelax() : std::this_thread::yield();
  };
  runTogether(2, [&](int thread) {
    for (int round = 1; round <= kRounds; ++round) {
      if (thread == 0) {
        group[1].setPhase(Phase::active);
        with.number = views.number() + 1;
        views.install(with);
        wants.store(1);
        fence = rings[0]->request(soon()).fence;
        started = round;
        static_cast<void>(rings[0]->release(fence));
        await(finished, round);
        const Token token = rings[0]->token();
        faults += token.holder == group[1].self.slot + 1 ? 1 : 0;
      } else {
        await(started, round);
        for (int i = round % 40; i > 0; --i) cpuRelax();
        group[1].setPhase(Phase::departed, Departure::silent);
        without.number = views.number() + 1;
        views.install(without);
        TokenRing::onViewChange(group[2].context, without);
        finished = round;
      }
    }
  });
  CHECK(faults == 0);
}

// SYNC: token-wants, by racing: a deadline that passes while the token is being handed over. Either it was handed
// over and the request says so, or nobody hands it over any more.
TEST_CASE("token ring: a deadline that meets a hand-over never makes two holders of one fence",
          "[protocol][threads]") {
  const Watchdog watchdog;
  const Random seeds;
  CAPTURE(seeds.seed());
  const BareGroup group(2);
  std::array<TokenRing, 2> rings{TokenRing(group[0].context, group[0].roster),
                                 TokenRing(group[1].context, group[1].roster)};
  constexpr int kRounds = 20'000;
  std::atomic<int> inside{0};
  std::atomic<std::uint64_t> lastFence{0};
  std::atomic<int> faults{0};
  std::atomic<int> missed{0};
  std::atomic<int> handed{0};
  std::atomic<bool> over{false};
  runTogether(2, [&](int thread) {
    const bool patient = thread == 0;
    TokenRing& ring = rings.at(static_cast<std::size_t>(thread));
    Random random(seeds.seed() + static_cast<std::uint64_t>(thread));
    const std::uint32_t self = group[static_cast<std::size_t>(thread)].self.slot + 1;
    for (int round = 0; patient ? round < kRounds : !over; ++round) {
      const bool isLongWait = round % 16 == 0;
      const auto limit = std::chrono::nanoseconds(random.below(isLongWait ? 500'000 : 20'000));
      const auto grant = ring.request(patient ? soon() : Deadline::in(limit));
      if (grant.status == Status::timeout) {
        ++missed;
        for (std::uint64_t looks = random.below(200); looks > 0; --looks) {
          const Token token = ring.token();
          if (token.held && token.holder == self) ++faults;  // it was told no, so it would never give it back
        }
        continue;
      }
      if (grant.status != Status::ok || ++inside != 1) ++faults;
      if (lastFence.exchange(grant.fence) >= grant.fence) ++faults;
      handed += !patient && grant.handed ? 1 : 0;
      for (std::uint64_t i = random.below(100); i > 0; --i) cpuRelax();
      // On one core, too, the other one asks meanwhile: in vain, or for so long that it is handed the token.
      if (patient && round % 256 == 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
      --inside;
      if (ring.release(grant.fence).status != Status::ok) ++faults;
    }
    if (patient) over = true;
  });
  CHECK(faults == 0);
  CAPTURE(missed.load(), handed.load());
  CHECK(missed > 0);  // or nothing was raced
  CHECK(handed > 0);
}
