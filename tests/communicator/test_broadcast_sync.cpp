#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/random.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

TEST_CASE("broadcastSync: all others return the message, and the sender knows that they did (specification)",
          "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  BlockedCall sending([&] { return members[1]->broadcastSync("news", 1); });
  const auto first = members[0]->broadcastSync("ignored", 1);
  REQUIRE(first);
  CHECK(first->text() == "news");
  CHECK(first->kind == Kind::broadcastSync);
  CHECK(first->sender == 1);
  CHECK_FALSE(sending.hasEnded());  // one is not all
  CHECK(members[2]->broadcastSync({}, 1)->text() == "news");
  const auto sent = sending.result();
  CHECK(everything(sent.outcome()) == "ok, view 1, acknowledged {0,2}, failed {}, missing {}");
  CHECK_FALSE(sent.hasValue());
  CHECK(members[1]->tryReceive().status() == Status::empty);  // not to itself
}

TEST_CASE("broadcastSync of a member alone succeeds at once", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  CHECK(everything(com.broadcastSync("x", 0).outcome()) == "ok, view 1, acknowledged {}, failed {}, missing {}");
}

TEST_CASE("many rounds of broadcastSync with changing senders stay apart (specification)", "[process]") {
  const ScratchGroup group;
  constexpr int kCount = 3;
  auto children = forkChildren(kCount, [&](int i) -> std::string {
    Communicator com(group.options(i, kCount));
    for (int round = 0; round < 300; ++round) {
      const MemberId from = round % kCount;
      const auto message = com.broadcastSync(round, from);
      if (!message.ok()) return "round " + std::to_string(round) + ": " + everything(message.outcome());
      if (from != com.id() && message->as<int>() != round) return "a message of another round";
    }
    return com.tryReceive().status() == Status::empty ? "passed" : "something is left";
  });
  CHECK(reportsOf(children) == std::vector<std::string>(kCount, "passed"));
}

TEST_CASE("receive() takes a synchronous broadcast, too, and acknowledges it (design, mailbox)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  REQUIRE(members[0]->sendTo("before", 1));
  BlockedCall sending([&] { return members[0]->broadcastSync("news", 0); });
  CHECK(members[1]->receive()->text() == "before");
  CHECK_FALSE(sending.hasEnded());
  CHECK(members[1]->receive()->text() == "news");
  CHECK(sending.result().outcome().acknowledged == ids({1}));
}

TEST_CASE("broadcastSync leaves other mail where it is, also of the same sender (design, mailbox)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  REQUIRE(members[0]->sendTo("1", 2));
  REQUIRE(members[1]->sendTo("2", 2));
  BlockedCall other([&] { return members[1]->broadcastSync("of P1", 1, 20s); });
  BlockedCall sending([&] { return members[0]->broadcastSync("of P0", 0); });
  REQUIRE(members[1]->broadcastSync({}, 0));
  CHECK(members[2]->broadcastSync({}, 0)->text() == "of P0");
  REQUIRE(sending.result().ok());
  CHECK(members[2]->receive()->text() == "1");
  CHECK(members[2]->receive()->text() == "2");
  CHECK(members[2]->broadcastSync({}, 1)->text() == "of P1");
  CHECK(members[0]->broadcastSync({}, 1)->text() == "of P1");
  REQUIRE(other.result().ok());
}

TEST_CASE("at the deadline broadcastSync says who took it, and withdraws it from the others (P1)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  BlockedCall taking([&] { return members[1]->broadcastSync({}, 0); });
  const auto sent = members[0]->broadcastSync("news", 0, 200ms);
  REQUIRE(taking.result());
  CHECK(everything(sent.outcome()) == "timeout, view 1, acknowledged {1}, failed {}, missing {2}");
  const auto late = members[2]->broadcastSync({}, 0, 1ms);
  CHECK(everything(late.outcome()) == "timeout, view 1, acknowledged {}, failed {}, missing {0}");
  CHECK(members[2]->tryReceive().status() == Status::empty);
}

TEST_CASE("a receiver that died is in failed, the others have acknowledged (P1)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child victim([&] {
    const Communicator com(group.options("P0"));
    ready.open();
    return stayUntilKilled();
  });
  victim.awaitOpen(ready);
  Communicator sender(group.options("P1"));
  Communicator receiver(group.options("P2"));
  static_cast<void>(sender.view());
  BlockedCall sending([&] { return sender.broadcastSync("news", 1); });
  CHECK(receiver.broadcastSync({}, 1)->text() == "news");
  victim.kill();
  CHECK(everything(sending.result().outcome()) == "peer failed, view 3, acknowledged {2}, failed {0}, missing {}");
}

TEST_CASE("the sender dies before it has sent: all others get peerFailed (P1)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child victim([&] {
    const Communicator com(group.options("P0"));
    ready.open();
    return stayUntilKilled();
  });
  victim.awaitOpen(ready);
  Communicator first(group.options("P1"));
  Communicator second(group.options("P2"));
  BlockedCall one([&] { return first.broadcastSync({}, 0); });
  BlockedCall other([&] { return second.broadcastSync({}, 0); });
  victim.kill();
  CHECK(everything(one.result().outcome()) == "peer failed, view 2, acknowledged {}, failed {0}, missing {}");
  CHECK(everything(other.result().outcome()) == "peer failed, view 3, acknowledged {}, failed {0}, missing {}");
}

TEST_CASE("the sender dies after it has sent: who had not taken it gets it as the others did (P5)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  const Gate joined;
  Child victim([&] {
    Communicator com(group.options("P0"));
    ready.open();
    joined.pass();
    return com.broadcastSync("last words", 0).outcome().text();
  });
  victim.awaitOpen(ready);
  Communicator first(group.options("P1"));
  Communicator second(group.options("P2"));
  joined.open();
  CHECK(first.broadcastSync({}, 0)->text() == "last words");
  awaitAsleep(victim.pid());
  victim.kill();
  REQUIRE(first.waitView(3));  // `second` has not looked, so its id 0 is still the dead
  const auto late = second.broadcastSync({}, 0);
  REQUIRE(late);
  CHECK(late->text() == "last words");
  CHECK(late->name.view() == "P0");
}

TEST_CASE("a broadcast reaches all survivors or none, whenever its sender is killed (P5)", "[process][stress]") {
  Random random;
  CAPTURE(random.seed());
  for (int trial = 0; trial < 20; ++trial) {
    const ScratchGroup group;
    const Gate ready;
    const Gate inside;
    const Gate heard;
    Child sender([&] {
      Communicator com(group.options("sender"));
      ready.open();
      awaitSize(com, 4);
      for (int i = 0;; ++i) {
        // By value and by reference.
        const Outcome outcome = com.broadcast(std::to_string(i) + std::string(i % 3 == 0 ? 5000 : 1, '.'));
        if (!outcome) return outcome.text();
      }
    });
    sender.awaitOpen(ready);
    auto receivers = forkChildren(3, [&](int i) {
      Communicator com(group.options(i, 1));
      inside.open();
      std::string last = "nothing";
      for (bool alone = false;;) {
        // Everything of the dead is there once the view without it has been cleaned up; then comes nothing more.
        const auto message = com.receiveFromSync(0, 1us);
        alone = message.status() == Status::peerFailed;
        auto mail = com.tryReceive();
        while (mail) {
          const std::string number(mail->text().substr(0, mail->text().find('.')));
          const std::string expected = last == "nothing" ? "0" : std::to_string(std::stoi(last) + 1);
          if (number != expected) return "after " + last + " came " + number;
          last = number;
          heard.open();
          mail = com.tryReceive();
        }
        if (alone) return last;
      }
    });
    for (Child& receiver : receivers) receiver.awaitOpen(inside);  // the sender is in the first view of each
    const int killAt = static_cast<int>(random.below(300));
    for (int i = 0; i < killAt; ++i) receivers[0].awaitOpen(heard);
    sender.kill();
    const auto reports = reportsOf(receivers);
    CHECK(reports[1] == reports[0]);
    CHECK(reports[2] == reports[0]);
    CHECK(reports[0].find("came") == std::string::npos);
  }
}
