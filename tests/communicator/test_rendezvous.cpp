#include <atomic>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/random.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/shared.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

TEST_CASE("sendToSync returns when the addressee has taken the message, not before (specification)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  BlockedCall sending([&] { return members[0]->sendToSync("ping", 2); });
  CHECK_FALSE(sending.hasEnded());
  CHECK(members[2]->stats().pending == 1);  // it lies there; that is not enough
  const auto message = members[2]->receiveFromSync(0);
  REQUIRE(message);
  CHECK(message->text() == "ping");
  CHECK(message->kind == Kind::sendToSync);
  CHECK(message->sender == 0);
  CHECK(message->name.view() == "P0");
  CHECK(everything(sending.result()) == "ok, view 1, acknowledged {2}, failed {}, missing {}");
}

TEST_CASE("receiveFromSync waits for its sender", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  BlockedCall receiving([&] { return members[1]->receiveFromSync(0); });
  REQUIRE(members[0]->sendToSync("ping", 1));
  CHECK(receiving.result()->text() == "ping");
}

TEST_CASE("receiveFromSync leaves the mail of others in place and in order (design, mailbox)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 4);
  REQUIRE(members[1]->sendTo("1", 0));
  REQUIRE(members[2]->sendTo("2", 0));
  BlockedCall other([&] { return members[3]->sendToSync("of P3", 0); });
  REQUIRE(members[1]->sendTo("3", 0));
  BlockedCall wanted([&] { return members[2]->sendToSync("of P2", 0); });
  REQUIRE(members[1]->publish(std::string(50'000, '4')));

  CHECK(members[0]->receiveFromSync(2)->text() == "of P2");
  REQUIRE(wanted.result());
  CHECK_FALSE(other.hasEnded());
  CHECK(members[0]->receiveFromSync(1, 1ms).status() == Status::timeout);  // P1 sent nothing synchronous
  CHECK(members[0]->stats().pending == 5);
  CHECK(members[0]->receive()->text() == "1");
  CHECK(members[0]->receive()->text() == "2");
  CHECK(members[0]->receive()->text() == "of P3");
  REQUIRE(other.result());
  CHECK(members[0]->receive()->text() == "3");
  CHECK(members[0]->receive()->text() == std::string(50'000, '4'));
}

TEST_CASE("whichever call takes a synchronous message acknowledges it (design, mailbox)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  for (int way = 0; way < 3; ++way) {
    BlockedCall sending([&] { return members[0]->sendToSync("ping", 1); });
    std::byte buffer[4];
    switch (way) {
      case 0: CHECK(members[1]->receive()->text() == "ping"); break;
      case 1: CHECK(members[1]->tryReceive()->text() == "ping"); break;
      default: CHECK(members[1]->receiveInto(buffer)->size == 4);
    }
    CHECK(sending.result().acknowledged == ids({1}));
  }
}

TEST_CASE("a synchronous message that did not fit the buffer is not acknowledged", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  BlockedCall sending([&] { return members[0]->sendToSync("ping", 1); });
  std::byte buffer[3];
  CHECK_THROWS_AS(members[1]->receiveInto(buffer), Error);
  CHECK_FALSE(sending.hasEnded());
  CHECK(members[1]->receiveFromSync(0)->text() == "ping");
  REQUIRE(sending.result());
}

TEST_CASE("at the deadline the message is withdrawn: nobody receives it later (P1)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  CHECK(everything(members[0]->sendToSync("too late", 1, 1ms)) ==
        "timeout, view 1, acknowledged {}, failed {}, missing {1}");
  const auto nothing = members[1]->receiveFromSync(0, 1ms);
  CHECK(everything(nothing.outcome()) == "timeout, view 1, acknowledged {}, failed {}, missing {0}");
  CHECK(members[1]->tryReceive().status() == Status::empty);
  BlockedCall sending([&] { return members[0]->sendToSync("in time", 1); });
  CHECK(members[1]->receiveFromSync(0)->text() == "in time");
  REQUIRE(sending.result());
}

namespace {

/// Both sides try with deadlines that often just miss each other; each writes down what it believes was delivered.
struct Belief {
  static constexpr int kRounds = 3000;
  std::atomic<bool> delivered[kRounds];
  std::atomic<int> received[kRounds];
  std::atomic<bool> over;
};

std::string sendRestlessly(Communicator& com, Belief& belief, std::uint64_t seed) {
  Random random(seed);
  for (int round = 0; round < Belief::kRounds; ++round) {
    const auto outcome = com.sendToSync(round, 1, std::chrono::microseconds(random.below(150)));
    belief.delivered[round] = outcome.ok();
    if (!outcome && outcome.status != Status::timeout) return everything(outcome);
  }
  belief.over = true;
  return "";
}

std::string receiveRestlessly(Communicator& com, Belief& belief, std::uint64_t seed) {
  Random random(seed);
  for (bool last = false; !last;) {
    last = belief.over;
    // Sometimes busy with something else, for about as long as the sender has patience.
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(random.below(200));
    while (!random.oneIn(100) && std::chrono::steady_clock::now() < until) {
    }
    const auto message = com.receiveFromSync(0, std::chrono::microseconds(random.below(150)));
    if (message) ++belief.received[message->as<int>()];
    const bool hasLeft = belief.over && message.status() == Status::peerFailed;
    if (!message && message.status() != Status::timeout && !hasLeft) return everything(message.outcome());
  }
  return "";
}

void checkAgreement(const Belief& belief) {
  int delivered = 0;
  int disagreements = 0;
  for (int round = 0; round < Belief::kRounds; ++round) {
    delivered += belief.delivered[round] ? 1 : 0;
    disagreements += belief.received[round] == (belief.delivered[round] ? 1 : 0) ? 0 : 1;
  }
  CHECK(disagreements == 0);
  // Otherwise nothing was tried.
  CHECK(delivered > 0);
  CHECK(delivered < Belief::kRounds);
}

}  // namespace

TEST_CASE("sender and receiver agree on what was delivered, however close to the deadline (design, rendezvous)",
          "[threads][stress]") {
  const std::uint64_t seed = Random().seed();
  CAPTURE(seed);
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  const auto belief = std::make_unique<Belief>();
  const auto results = inThreads(2, [&](int id) {
    return id == 0 ? sendRestlessly(*members[0], *belief, seed)
                   : receiveRestlessly(*members[1], *belief, seed + 1);
  });
  CHECK(results == std::vector<std::string>(2));
  checkAgreement(*belief);
}

TEST_CASE("two processes agree as well (design, rendezvous)", "[process][stress]") {
  const std::uint64_t seed = Random().seed();
  CAPTURE(seed);
  const ScratchGroup group;
  const Shared<Belief> belief;
  std::vector<Child> children;
  for (int i = 0; i < 2; ++i) {
    children.emplace_back([&, i] {
      Communicator com(group.options(i, 2));
      return i == 0 ? sendRestlessly(com, *belief, seed) : receiveRestlessly(com, *belief, seed + 1);
    });
    if (i == 0) group.awaitArrivals(1);
  }
  CHECK(reportsOf(children) == std::vector<std::string>(2));
  checkAgreement(*belief);
}

TEST_CASE("the addressee dies before it takes the message: peerFailed (P1)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child victim([&] {
    const Communicator com(group.options("P0"));
    ready.open();
    return stayUntilKilled();
  });
  victim.awaitOpen(ready);
  Communicator com(group.options("P1"));
  BlockedCall sending([&] { return com.sendToSync("ping", 0); });
  victim.kill();
  CHECK(everything(sending.result()) == "peer failed, view 2, acknowledged {}, failed {0}, missing {}");
  // Nor does a later call wait for it.
  CHECK(everything(com.sendToSync("ping", 0)) == "peer failed, view 2, acknowledged {}, failed {0}, missing {}");
  CHECK(everything(com.receiveFromSync(0).outcome()) ==
        "peer failed, view 2, acknowledged {}, failed {0}, missing {}");
}

TEST_CASE("the sender dies or leaves: receiveFromSync ends with peerFailed (P1)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child victim([&] {
    const Communicator com(group.options("P0"));
    ready.open();
    return stayUntilKilled();
  });
  victim.awaitOpen(ready);
  Communicator com(group.options("P1"));
  Communicator leaver(group.options("P2"));
  static_cast<void>(com.view());
  BlockedCall receiving([&] { return com.receiveFromSync(0); });
  victim.kill();
  CHECK(everything(receiving.result().outcome()) ==
        "peer failed, view 3, acknowledged {}, failed {0}, missing {}");
  BlockedCall again([&] { return com.receiveFromSync(2); });
  REQUIRE(leaver.stop());
  CHECK(everything(again.result().outcome()) == "peer failed, view 3, acknowledged {}, failed {2}, missing {}");
}

TEST_CASE("mail that was there before its sender died is still taken by receiveFromSync (P2)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child receiver([&] {
    Communicator com(group.options("P0"));
    ready.open();
    awaitView(com, [](const View& view) { return !view.departed.empty(); });
    const auto message = com.receive();
    return message ? std::string(message->text()) : message.outcome().text();
  });
  receiver.awaitOpen(ready);
  Child sender([&] {
    Communicator com(group.options("P1"));
    if (!com.sendTo("asynchronous", 0)) return std::string("could not send");
    ready.open();
    return com.sendToSync("never acknowledged", 0).text();
  });
  sender.awaitOpen(ready);
  awaitAsleep(sender.pid());
  sender.kill();
  CHECK(receiver.report() == "asynchronous");
}

TEST_CASE("a rendezvous with oneself is refused", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  for (const auto& error : {errorOf([&] { return members[1]->sendToSync("x", 1); }),
                            errorOf([&] { return members[1]->receiveFromSync(1).ok(); })}) {
    REQUIRE(error);
    CHECK(error->errc() == Errc::invalidArgument);
    CAPTURE(error->what());
    CHECK(mentions(error->what(), {"1"}));
  }
}

TEST_CASE("two that send to each other at once end at their deadlines, or by a second thread (P1)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  const auto crossed = inThreads(
      2, [&](int id) { return everything(members[static_cast<std::size_t>(id)]->sendToSync("x", 1 - id, 5ms)); });
  CHECK(crossed[0] == "timeout, view 1, acknowledged {}, failed {}, missing {1}");
  CHECK(crossed[1] == "timeout, view 1, acknowledged {}, failed {}, missing {0}");

  BlockedCall there([&] { return members[0]->sendToSync("there", 1); });
  BlockedCall back([&] { return members[1]->sendToSync("back", 0); });
  CHECK(members[1]->receiveFromSync(0)->text() == "there");
  CHECK(members[0]->receiveFromSync(1)->text() == "back");
  REQUIRE(there.result());
  REQUIRE(back.result());
}
