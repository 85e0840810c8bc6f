#include <atomic>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/threads.hpp"

// The original course work (Com.py) had ten known defects. One test each: what went wrong there must go right
// here.

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

TEST_CASE("defect 1: the clock rule was skipped on broadcast", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  for (int i = 0; i < 5; ++i) REQUIRE(members[0]->sendTo("own event", 0));
  REQUIRE(members[0]->broadcast("x"));
  CHECK(members[0]->clock() == 6);
  const auto message = members[1]->receive();
  CHECK(message->stamp == 6);
  CHECK(message->clock == 7);
  CHECK(members[1]->clock() == 7);
}

TEST_CASE("defect 2: the payload of broadcastSync never reached the receiver", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  for (const std::size_t size : {0UL, 5UL, 100'000UL}) {
    const std::string text(size, 'x');
    BlockedCall sending([&] { return members[0]->broadcastSync(text, 0).status(); });
    CHECK(members[1]->broadcastSync({}, 0)->text() == text);
    CHECK(members[2]->receive()->text() == text);
    CHECK(sending.result() == Status::ok);
  }
}

TEST_CASE("defect 3: an acknowledgement that came before the sender began to count was lost", "[process]") {
  const ScratchGroup group;
  // The receivers wait already, so they acknowledge as soon as it is possible at all.
  auto children = forkChildren(3, [&](int i) -> std::string {
    Communicator com(group.options(i, 3));
    for (int round = 0; round < 1000; ++round) {
      const auto all = com.broadcastSync(round, 0);
      if (!all.ok()) return everything(all.outcome());
      if (com.id() == 0 && !com.sendToSync(round, 1)) return "sendToSync failed";
      if (com.id() == 1 && !com.receiveFromSync(0)) return "receiveFromSync failed";
    }
    return "done";
  });
  CHECK(reportsOf(children) == std::vector<std::string>(3, "done"));
}

TEST_CASE("defect 4: one counter took acknowledgements of any message from anybody", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  BlockedCall toOne([&] { return members[0]->sendToSync("for P1", 1); });
  BlockedCall toTwo([&] { return members[0]->sendToSync("for P2", 2); });
  BlockedCall toAll([&] { return members[0]->broadcastSync("for all", 0).outcome(); });
  CHECK(members[2]->receive()->text() == "for P2");
  CHECK(toTwo.result().acknowledged == ids({2}));
  CHECK(members[2]->receive()->text() == "for all");
  // Two acknowledgements by P2 are none by P1.
  CHECK_FALSE(toOne.hasEnded());
  CHECK_FALSE(toAll.hasEnded());
  CHECK(members[1]->receive()->text() == "for P1");
  CHECK(toOne.result().acknowledged == ids({1}));
  CHECK_FALSE(toAll.hasEnded());
  CHECK(members[1]->receive()->text() == "for all");
  CHECK(toAll.result().acknowledged == ids({1, 2}));
}

TEST_CASE("defect 5: a selective receive threw away the mail that it did not want", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  for (int i = 0; i < 50; ++i) REQUIRE(members[2]->sendTo(i, 0));
  BlockedCall sending([&] { return members[1]->sendToSync("wanted", 0); });
  for (int i = 50; i < 100; ++i) REQUIRE(members[2]->sendTo(i, 0));
  CHECK(members[0]->receiveFromSync(1)->text() == "wanted");
  REQUIRE(sending.result());
  for (int i = 0; i < 100; ++i) REQUIRE(members[0]->receive()->as<int>() == i);
}

TEST_CASE("defect 6: a peer was matched by the text P<id>, wrong after a renumbering", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  REQUIRE(members[0]->stop());
  REQUIRE(toText(members[2]->view()) == "2: P1 P2 | P0 left");
  REQUIRE(members[1]->view().number == 2);
  // P1 has id 0 now, P2 has id 1.
  BlockedCall sending([&] { return members[1]->sendToSync("from P1", 1); });
  const auto message = members[2]->receiveFromSync(0);
  REQUIRE(message);
  CHECK(message->text() == "from P1");
  CHECK(message->sender == 0);
  CHECK(message->name.view() == "P1");
  REQUIRE(sending.result());
}

TEST_CASE("defect 7: an arrival for the next barrier round was forgotten by the current one", "[process]") {
  const ScratchGroup group;
  // One is always early for the next round, one is always late.
  auto children = forkChildren(3, [&](int i) -> std::string {
    Communicator com(group.options(i, 3));
    for (int round = 0; round < 1000; ++round) {
      if (i == 2) static_cast<void>(com.receive(1us));
      if (!com.synchronize(3)) return "stuck in round " + std::to_string(round);
    }
    return "done";
  });
  CHECK(reportsOf(children) == std::vector<std::string>(3, "done"));
}

TEST_CASE("defect 8: a message under way during a renumbering reached the wrong process", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 4);
  const std::string large(100'000, 'x');
  REQUIRE(members[0]->sendTo("for P2", 2));
  BlockedCall toStopped([&] { return members[0]->sendToSync("for P1", 1); });
  REQUIRE(members[1]->stop());
  CHECK(toStopped.result().failed == ids({1}));
  REQUIRE(members[2]->view().number == 2);
  // The sender has not looked: its ids are the old ones.
  CHECK(members[0]->sendTo("for P1", 1).status == Status::staleView);
  CHECK(members[0]->sendTo(large, 1).status == Status::staleView);
  CHECK(members[0]->sendToSync("for P1", 1).status == Status::peerFailed);
  REQUIRE(members[0]->sendTo("for P3", 3));
  CHECK(members[2]->receive()->text() == "for P2");
  CHECK(members[2]->tryReceive().status() == Status::empty);
  CHECK(members[3]->receive()->text() == "for P3");
  CHECK(members[3]->tryReceive().status() == Status::empty);
}

TEST_CASE("defect 9: the token was lost with its holder, in the section or not", "[process]") {
  const ScratchGroup group;
  for (const bool inSection : {true, false}) {
    const Gate ready;
    Child holder([&] {
      Communicator com(group.options("holder"));
      auto section = com.requestSC();
      if (!inSection) section->release();  // alone, it keeps the token in reserve
      ready.open();
      return stayUntilKilled();
    });
    holder.awaitOpen(ready);
    Communicator heir(group.options("heir"));
    holder.kill();
    CHECK(heir.requestSC());
  }
}

TEST_CASE("defect 10: stop() let blocked calls return as if they had succeeded", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  const auto held = members[1]->requestSC();
  BlockedCall section([&] { return members[0]->requestSC(); });
  BlockedCall barrier([&] { return members[0]->synchronize(2); });
  BlockedCall sending([&] { return members[0]->broadcastSync("x", 0); });
  REQUIRE(members[0]->stop());
  const auto entered = section.result();
  CHECK(entered.status() == Status::stopped);
  CHECK_FALSE(entered.hasValue());
  CHECK_FALSE(barrier.result().ok());
  const auto sent = sending.result();
  CHECK(everything(sent.outcome()) == "stopped, view 1, acknowledged {}, failed {}, missing {1}");
}
