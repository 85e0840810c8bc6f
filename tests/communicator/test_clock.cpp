#include <atomic>
#include <thread>

#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/sleeper.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

TEST_CASE("every user send advances the clock by one, whatever its kind and audience (Lamport 1978, IR1)",
          "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  Communicator& com = *members[0];
  CHECK(com.clock() == 0);
  REQUIRE(com.sendTo("x", 1));
  CHECK(com.clock() == 1);
  REQUIRE(com.broadcast("x"));
  CHECK(com.clock() == 2);  // one event, though two hear it
  REQUIRE(com.publish("x"));
  CHECK(com.clock() == 3);
  REQUIRE(com.sendTo("x", com.id()));
  CHECK(com.clock() == 4);

  BlockedCall one([&] { return com.sendToSync("x", 1); });
  CHECK(com.clock() == 5);  // at the send, not at the acknowledgement
  REQUIRE(members[1]->receiveFromSync(0));
  REQUIRE(one.result());
  CHECK(com.clock() == 5);

  BlockedCall all([&] { return com.broadcastSync("x", 0); });
  CHECK(com.clock() == 6);
  REQUIRE(members[1]->broadcastSync({}, 0));
  REQUIRE(members[2]->broadcastSync({}, 0));
  REQUIRE(all.result());
  CHECK(com.clock() == 6);
}

TEST_CASE("a message bears the clock of its send (Lamport 1978, IR2a)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  for (LamportTime stamp = 1; stamp <= 3; ++stamp) {
    REQUIRE(members[0]->sendTo("x", 1));
    CHECK(members[1]->receive()->stamp == stamp);
  }
}

TEST_CASE("a delivery sets the clock to max of ours and the stamp, plus one (Lamport 1978, IR2b)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  Communicator& ahead = *members[0];
  Communicator& behind = *members[1];
  for (int i = 0; i < 9; ++i) REQUIRE(ahead.sendTo("to myself", 0));
  REQUIRE(ahead.sendTo("from ahead", 1));
  REQUIRE(ahead.clock() == 10);

  // The stamp is larger.
  CHECK(behind.clock() == 0);
  const auto first = behind.receive();
  REQUIRE(first);
  CHECK(first->stamp == 10);
  CHECK(first->clock == 11);
  CHECK(behind.clock() == 11);

  // Ours is larger: mail to ourselves of long ago.
  const auto second = ahead.receive();
  REQUIRE(second);
  CHECK(second->stamp == 1);
  CHECK(second->clock == 11);
  CHECK(ahead.clock() == 11);

  // Equal.
  REQUIRE(behind.sendTo("x", 1));
  const auto third = behind.receive();
  CHECK(third->stamp == 12);
  CHECK(third->clock == 13);
}

TEST_CASE("the clock counts deliveries, not arrivals (Lamport 1978, IR2)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  REQUIRE(members[0]->sendTo("x", 1));
  CHECK(members[1]->stats().pending == 1);
  CHECK(members[1]->clock() == 0);
  std::byte tooSmall[1];
  CHECK_THROWS_AS(members[1]->receiveInto(std::span<std::byte>(tooSmall, 0)), Error);
  CHECK(members[1]->clock() == 0);
  std::byte fits[8];
  REQUIRE(members[1]->receiveInto(fits));
  CHECK(members[1]->clock() == 2);
}

TEST_CASE("every way to take a message merges the clock (Lamport 1978, IR2)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  REQUIRE(members[0]->sendTo("x", 1));
  CHECK(members[1]->tryReceive()->clock == 2);
  BlockedCall one([&] { return members[0]->sendToSync("x", 1); });
  CHECK(members[1]->receiveFromSync(0)->clock == 3);
  REQUIRE(one.result());
  BlockedCall all([&] { return members[0]->broadcastSync("x", 0); });
  const auto heard = members[1]->broadcastSync({}, 0);
  CHECK(heard->stamp == 3);
  CHECK(heard->clock == 4);
  REQUIRE(all.result());
}

TEST_CASE("token, heartbeat, view and barrier do not touch the clock (specification, Lamport)", "[threads]") {
  const ScratchGroup group;
  std::atomic<int> beats{0};
  Options options = group.impatient("P0", 2);
  options.heartbeatTimeout = 30s;
  options.observer = [&](const Event& event) {
    if (event.type == EventType::heartbeat) beats.fetch_add(1);
  };
  const auto members = foundGroup(group, 2, options);
  for (const auto& member : members) {
    REQUIRE(member->requestSC());
    REQUIRE(member->trySC());
  }
  BlockedCall other([&] { return members[1]->synchronize(2); });
  REQUIRE(members[0]->synchronize(2));
  REQUIRE(other.result());
  { const Communicator guest(group.options("guest")); }
  REQUIRE(members[0]->waitView(2));
  while (beats.load() < 4) std::this_thread::yield();
  for (const auto& member : members) CHECK(member->clock() == 0);
}

TEST_CASE("a refused send is no event (Lamport 1978)", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.maxMessage = 10;
  Communicator com(options);
  CHECK_THROWS_AS(com.sendTo(std::string(11, 'x'), 0), Error);
  CHECK_THROWS_AS(com.sendTo("x", 7), Error);
  CHECK_THROWS_AS(com.sendToSync("x", 0), Error);
  CHECK(com.clock() == 0);
}
