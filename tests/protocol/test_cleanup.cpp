#include "ipc/protocol/cleanup.hpp"

#include <array>

#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/mail.hpp"
#include "tests/support/random.hpp"
#include "tests/support/stub_oracle.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

/// A broadcast of `sender` to everybody else in the group, committed, and nothing of it handed over yet.
Block intend(const BareGroup& group, BareMember& sender, std::uint64_t sequence, const Bytes& bytes) {
  std::vector<Member> addressees;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (group[i].self != sender.self) addressees.push_back(group[i].self);
  }
  return commitBlock(sender, sequence, bytes, addressees);
}

/// All that is in a mailbox.
std::vector<Bytes> takeAll(BareMember& member) {
  std::vector<Bytes> all;
  for (Received received = take(member); received.isMessage(); received = take(member))
    all.push_back(received.bytes);
  return all;
}

bool cleanUpBy(const BareMember& member) { return cleanUp(member.context, member.registry); }
std::uint64_t cleanedView(const BareGroup& group) { return group.segment().control().cleanedView; }

}  // namespace

// P5: a broadcast whose sender dies reaches all survivors or none, and each of them once.
TEST_CASE("clean-up: a committed broadcast of a dead sender reaches each survivor exactly once", "[protocol]") {
  const BareGroup group(6);
  BareMember& sender = group[1];
  const Bytes bytes = bytesOf("to all or none");
  const Block block = intend(group, sender, 1, bytes);
  // It died after all stages of handing it over: P0 has been handed a copy and that is noted; P2 a copy that it
  // took, not noted; P3 a copy in its mailbox, not noted; P4 a reference in its mailbox; P5 nothing.
  for (const std::size_t who : {0U, 2U, 3U}) {
    REQUIRE(push(sender, group[who], 1, bytes, Kind::broadcast) == PushResult::pushed);
  }
  REQUIRE(block.settle(group[0].self.slot, Share::taken));
  CHECK(take(group[2]).bytes == bytes);
  REQUIRE(pushReference(sender, group[4], 1, block) == PushResult::pushed);

  sender.die();
  BareGroup::installWithout(sender, Departure::died, group[5]);
  CHECK(cleanUpBy(group[3]));
  CHECK(cleanedView(group) == 2);
  const std::vector<Bytes> once{bytes};
  CHECK(takeAll(group[0]) == once);
  CHECK(takeAll(group[2]).empty());
  CHECK(takeAll(group[3]) == once);
  CHECK(takeAll(group[4]) == once);
  CHECK(takeAll(group[5]) == once);

  // Everybody has it, so the slot is free for the next.
  CHECK(cleanUpBy(group[0]));
  CHECK(sender.word().phase == Phase::free);
}

TEST_CASE("clean-up: a broadcast that was not committed reaches nobody", "[protocol]") {
  const BareGroup group(3);
  BareMember& sender = group[1];
  REQUIRE(sender.outbox.allocate(100));
  group.bury(sender, group[0]);
  CHECK(cleanedView(group) == 2);
  CHECK(takeAll(group[0]).empty());
  CHECK(takeAll(group[2]).empty());
  CHECK(sender.word().phase == Phase::free);
}

// P5: what was committed in time is adopted in the first pass after the departure, and nothing later is.
TEST_CASE("clean-up: what an evicted member commits late reaches nobody, whatever views follow", "[protocol]") {
  const BareGroup group(4);
  BareMember& evicted = group[1];
  BareGroup::installWithout(evicted, Departure::silent, group[0]);
  REQUIRE(cleanUpBy(group[0]));
  const Block late = intend(group, evicted, 1, bytesOf("late"));
  group.bury(group[3], group[0]);
  CHECK(late.phase() == BlockPhase::committed);
  for (const std::size_t who : {0U, 2U}) CHECK(takeAll(group[who]).empty());
}

// Its own pushes are refused, which is no word about the addressee.
TEST_CASE("clean-up: who is about to leave marks nothing as handed over that it could not hand over",
          "[protocol]") {
  const BareGroup group(4);
  BareMember& sender = group[1];
  const Bytes bytes = bytesOf("to all or none");
  const Block block = intend(group, sender, 1, bytes);
  sender.die();
  BareGroup::installWithout(sender, Departure::died, group[0]);
  group[0].liveness.retire();
  CHECK_FALSE(cleanUpBy(group[0]));
  CHECK(block.phase() == BlockPhase::adopted);
  CHECK(cleanUpBy(group[2]));
  for (const std::size_t who : {0U, 2U, 3U}) CHECK(takeAll(group[who]) == std::vector<Bytes>{bytes});
}

// Idempotent: a cleaner that died is followed by another, which begins anew.
TEST_CASE("clean-up: a cleaner that died anywhere is followed by the next", "[protocol]") {
  BareGroup group(5);
  BareMember& sender = group[1];
  BareMember& cleaner = group[2];
  const Bytes bytes(10'000, std::byte{3});
  const Block first = intend(group, sender, 1, bytes);
  const Block second = intend(group, sender, 2, bytesOf("second"));
  sender.die();
  BareGroup::installWithout(sender, Departure::died, cleaner);

  // The cleaner has done this much of it:
  const int progress = GENERATE(0, 1, 2, 3);
  CAPTURE(progress);
  const auto hand = [&](std::uint64_t sequence, const Block& block, BareMember& to) {
    return mailboxOf(to, cleaner)
        .pushReference(envelopeOf(sender.self, sequence, Kind::broadcast), block.position(), block.header().length,
                       soon());
  };
  if (progress >= 1) REQUIRE(hand(1, first, group[0]) == PushResult::pushed);
  if (progress >= 2) {
    REQUIRE(hand(1, first, group[3]) == PushResult::pushed);
    REQUIRE(hand(1, first, group[4]) == PushResult::pushed);
    REQUIRE(first.advance(BlockPhase::committed, BlockPhase::adopted));
    REQUIRE(first.advance(BlockPhase::adopted, BlockPhase::handedOver));
  }
  if (progress >= 3) {
    REQUIRE(hand(2, second, group[0]) == PushResult::pushed);
    CHECK(take(group[0]).bytes == bytes);  // and a survivor is quick
    CHECK(take(group[0]).bytes == bytesOf("second"));
  }
  cleaner.dieHolding(group.segment().control().cleanupLock);

  if (GENERATE(false, true)) BareGroup::installWithout(cleaner, Departure::died, group[4]);
  CHECK(cleanUpBy(group[4]));
  CHECK(cleanedView(group) == group[0].context.views.number());
  const std::vector<Bytes> both{bytes, bytesOf("second")};
  CHECK(takeAll(group[0]) == (progress >= 3 ? std::vector<Bytes>{} : both));
  CHECK(takeAll(group[3]) == both);
  CHECK(takeAll(group[4]) == both);
}

TEST_CASE("clean-up: it may be run any number of times by anybody", "[protocol]") {
  const BareGroup group(4);
  BareMember& sender = group[3];
  const Bytes bytes = bytesOf("once");
  intend(group, sender, 1, bytes);
  sender.die();
  BareGroup::installWithout(sender, Departure::died, group[0]);
  for (int i = 0; i < 5; ++i) {
    group.segment().control().cleanedView.store(1);  // as if nobody had done it
    CHECK(cleanUpBy(group[static_cast<std::size_t>(i % 3)]));
  }
  for (std::size_t who = 0; who < 3; ++who) CHECK(takeAll(group[who]) == std::vector<Bytes>{bytes});
}

// Random runs of P5: the sender dies at a random point of several broadcasts, cleaners die as well.
TEST_CASE("clean-up: random deaths of senders lose and double nothing", "[protocol]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  for (int run = 0; run < 150; ++run) {
    CAPTURE(run);
    const BareGroup group(5);
    BareMember& sender = group[0];
    std::vector<Bytes> committed;
    std::array<std::vector<Bytes>, 5> got;
    const auto takeSome = [&](std::size_t who) {
      while (random.oneIn(2)) {
        const Received received = take(group[who]);
        if (!received.isMessage()) return;
        got[who].push_back(received.bytes);
      }
    };
    for (std::uint64_t sequence = 1; sequence <= 1 + random.below(6); ++sequence) {
      const bool last = random.oneIn(4);
      const Bytes bytes = random.bytes(random.below(3000));
      const bool byValue = random.oneIn(2);
      const Block block = intend(group, sender, sequence, bytes);
      committed.push_back(bytes);
      bool diesHere = false;
      for (std::size_t who = 1; who < 5 && !diesHere; ++who) {
        const bool pushed = !last || random.oneIn(2);
        if (!pushed) {
          diesHere = true;  // from here on nobody is handed anything by the sender
          break;
        }
        REQUIRE((byValue ? push(sender, group[who], sequence, bytes, Kind::broadcast)
                         : pushReference(sender, group[who], sequence, block)) == PushResult::pushed);
        if (byValue && !random.oneIn(5)) block.settle(group[who].self.slot, Share::taken);
        takeSome(who);
      }
      if (diesHere || last) break;
      Outbox::finish(block);
    }
    sender.die();
    BareGroup::installWithout(sender, Departure::died, group[4]);
    for (std::uint64_t i = 1 + random.below(3); i > 0; --i) {
      if (i > 1 && random.oneIn(2)) group.segment().control().cleanedView.store(1);
      REQUIRE(cleanUpBy(group[1 + random.below(4)]));
      for (std::size_t who = 1; who < 5; ++who) takeSome(who);
    }
    for (std::size_t who = 1; who < 5; ++who) {
      for (const Bytes& bytes : takeAll(group[who])) got[who].push_back(bytes);
      REQUIRE(got[who] == committed);
    }
  }
}

TEST_CASE("clean-up: a survivor without room gets the broadcast when it has made some", "[protocol]") {
  BareGroup group(3);
  BareMember& sender = group[1];
  BareMember& full = group[2];
  const Mailbox mailbox = mailboxOf(full, group[0]);
  std::uint64_t sequence = 0;
  // References fill the ring to its last cell; they lead nowhere.
  while (mailbox.pushReference(envelopeOf(group[0].self, ++sequence), 0, 0, soon()) == PushResult::pushed) {
  }
  const Bytes bytes = bytesOf("patience");
  intend(group, sender, 1, bytes);
  sender.die();
  BareGroup::installWithout(sender, Departure::died, group[0]);
  CHECK_FALSE(cleanUpBy(group[0]));
  CHECK(cleanedView(group) == 2);  // what is adopted will be delivered, and holds up nothing else
  CHECK(takeAll(group[0]) == std::vector<Bytes>{bytes});  // who has room does not wait
  CHECK(takeAll(full).empty());
  CHECK(cleanUpBy(group[0]));
  CHECK(takeAll(full) == std::vector<Bytes>{bytes});
  CHECK(takeAll(group[0]).empty());
}

// A slot is kept as long as anybody has to read what its dead owner sent.
TEST_CASE("clean-up: the slot of a dead sender is free when its last message was taken", "[protocol]") {
  BareGroup group(3);
  BareMember& sender = group[1];
  const Bytes bytes(20'000, std::byte{1});
  intend(group, sender, 1, bytes);
  group.bury(sender, group[0]);
  CHECK(takeAll(group[0]) == std::vector<Bytes>{bytes});
  CHECK(cleanUpBy(group[0]));
  CHECK(sender.word().phase == Phase::departed);
  CHECK(group.add().self.slot == 3);
  SECTION("by the last addressee") { CHECK(takeAll(group[2]) == std::vector<Bytes>{bytes}); }
  SECTION("or when that is gone, too") { group.bury(group[2], group[0]); }
  CHECK(cleanUpBy(group[0]));
  CHECK(sender.word().phase == Phase::free);
}

TEST_CASE("clean-up: only active members run it and one at a time", "[protocol]") {
  BareGroup group(4);
  BareMember& newcomer = group.add();
  group[1].die();
  BareGroup::installWithout(group[1], Departure::died, group[0]);
  const std::uint64_t token = group.segment().control().token;

  CHECK(cleanUpBy(newcomer));  // nothing to do for it
  group[3].setPhase(Phase::departed, Departure::silent);
  CHECK(cleanUpBy(group[3]));
  group[3].setPhase(Phase::active);
  CHECK(cleanedView(group) == 1);

  Word& lock = wordOf(group.segment().control().cleanupLock);
  lock.store(SlotLock::ownerWord(group[2].self));
  CHECK_FALSE(cleanUpBy(group[0]));  // goes on, does not wait
  lock.store(0);
  CHECK(cleanedView(group) == 1);
  CHECK(group.segment().control().token == token);

  CHECK(cleanUpBy(group[0]));
  CHECK(cleanedView(group) == 2);
  CHECK(group.segment().control().token != token);  // SYNC: token-repair
}

// P6.
TEST_CASE("clean-up: a garbage view or garbage blocks of the dead stop nobody", "[protocol]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  SECTION("the view") {
    const BareGroup group(3);
    group[1].die();
    BareGroup::installWithout(group[1], Departure::died, group[0]);
    group.segment().view(2).members = 999;
    CHECK_FALSE(cleanUpBy(group[0]));
    CHECK(wordOf(group.segment().control().cleanupLock).load() == 0);
  }
  SECTION("the blocks") {
    for (int run = 0; run < 200; ++run) {
      const BareGroup group(3);
      BareMember& sender = group[1];
      const Block block = intend(group, sender, 1, random.bytes(random.below(2000)));
      auto* bytes = reinterpret_cast<unsigned char*>(&block.header());
      const std::size_t from = sizeof(block.header().phase);  // still committed, or nobody would look at it
      for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
        bytes[from + random.below(group.segment().geometry().outboxBlockBytes() - from)] =
            static_cast<unsigned char>(random.word());
      }
      if (random.oneIn(4)) group.segment().outbox(1).tail.store(random.word());
      sender.die();
      BareGroup::installWithout(sender, Departure::died, group[0]);
      CHECK(cleanUpBy(group[0]));
      for (const std::size_t who : {0U, 2U}) {
        while (take(group[who]).status != TakeStatus::nothing) {
        }
        REQUIRE(push(group[0], group[who], 50, bytesOf("on")) == PushResult::pushed);
        REQUIRE(take(group[who]).bytes == bytesOf("on"));
      }
    }
  }
}

// Design §5: an evicted member that holds a lock is killed before anybody takes it.
TEST_CASE("clean-up: an evicted holder of a lock is fenced and others are not", "[protocol]") {
  const Watchdog watchdog;
  const Gate go;
  const Gate ready;
  const Shared<Member> evicted;
  Options options = scratchOptions(2);
  const bool holds = GENERATE(true, false);
  CAPTURE(holds);
  Child child([&]() -> std::string {
    go.pass();
    BareMember member(options, "child");
    if (member.admit() != Admission::waiting) return "not admitted";
    *evicted = member.self;
    if (holds && !holdsLock(member.segment->cell(3).lock.lock(member.self, member.liveness, soon()))) {
      return "no lock";
    }
    ready.open();
    stayUntilKilled();
  });
  BareMember survivor(options, "survivor");
  go.open();
  child.awaitOpen(ready);
  REQUIRE(survivor.admit() == Admission::admitted);
  REQUIRE(cleanUpBy(survivor));
  const Leaving leaving{*evicted, Departure::silent};
  REQUIRE(survivor.registry.remove(survivor.context, {&leaving, 1}, soon()));
  // Without evidence that it is silent now, it may be about to unlock.
  CHECK(cleanUpBy(survivor) == !holds);
  do {
    survivor.noteSilent(*evicted);
  } while (!cleanUpBy(survivor));
  if (holds) {
    CHECK(child.report() == "<signal 9>");
    CHECK(survivor.segment->cell(3).lock.lock(survivor.self, survivor.liveness, soon()) == LockResult::ownerDied);
  } else {
    CHECK_FALSE(hasEnded(identityOf(survivor.segment->slot(evicted->slot))));
  }
}
