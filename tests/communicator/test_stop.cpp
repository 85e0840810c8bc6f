#include <future>
#include <ronde/fenced_cell.hpp>

#include "tests/support/expect.hpp"
#include "tests/support/gate.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

/// A call of member 0 that blocks in a group of three.
struct Blocking {
  const char* name;
  std::function<Status(Communicator&)> call;
};

std::vector<Blocking> blockingCalls() {
  return {
      {"receive", [](Communicator& com) { return com.receive(1h).status(); }},
      {"receiveInto",
       [](Communicator& com) {
         std::byte buffer[8];
         return com.receiveInto(buffer, 1h).status();
       }},
      {"receiveFromSync", [](Communicator& com) { return com.receiveFromSync(1, 1h).status(); }},
      {"broadcastSync of another", [](Communicator& com) { return com.broadcastSync({}, 1, 1h).status(); }},
      {"broadcastSync", [](Communicator& com) { return com.broadcastSync("x", 0, 1h).status(); }},
      {"sendToSync", [](Communicator& com) { return com.sendToSync("x", 1, 1h).status; }},
      {"synchronize", [](Communicator& com) { return com.synchronize(1h).status; }},
      {"synchronize(N)", [](Communicator& com) { return com.synchronize(3, 1h).status; }},
      {"requestSC", [](Communicator& com) { return com.requestSC(1h).status(); }},
      {"waitView", [](Communicator& com) { return com.waitView(1, 1h).status(); }},
      {"sendTo a full mailbox",
       [](Communicator& com) {
         Status status = Status::ok;
         while (status == Status::ok) status = com.sendTo(std::string(10'000, 'x'), 1, 1h).status;
         return status;
       }},
      {"broadcast to full mailboxes",
       [](Communicator& com) {
         Status status = Status::ok;
         while (status == Status::ok) status = com.broadcast(std::string(2'000, 'x'), 1h).status;
         return status;
       }},
      {"publish with a full outbox",
       [](Communicator& com) {
         Status status = Status::ok;
         while (status == Status::ok) status = com.publish(std::string(100'000, 'x'), 1h).status;
         return status;
       }},
  };
}

}  // namespace

TEST_CASE("stop() ends blocked calls of other threads with stopped, never with pretended success (P1)",
          "[threads]") {
  for (const auto& [name, call] : blockingCalls()) {
    for (const WaitMode mode : {WaitMode::adaptive, WaitMode::block}) {
      CAPTURE(name);
      const ScratchGroup group;
      Options options = group.options("P0");
      options.waiting = mode;
      const auto members = foundGroup(group, 3, options);
      const auto held = members[2]->requestSC();
      REQUIRE(held);
      BlockedCall blocked([&, made = call] { return made(*members[0]); });
      REQUIRE(members[0]->stop());
      CHECK(blocked.result() == Status::stopped);
      // The others see it leave, and go on.
      REQUIRE(members[1]->waitView(1));
      CHECK(members[1]->view().departed.back().reason == Departure::left);
    }
  }
}

TEST_CASE("stop() ends several blocked calls at once (P1)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  BlockedCall first([&] { return members[0]->receive().status(); });
  BlockedCall second([&] { return members[0]->receive().status(); });
  BlockedCall third([&] { return members[0]->synchronize().status; });
  BlockedCall fourth([&] { return members[0]->synchronize().status; });  // waits for the third
  REQUIRE(members[0]->stop());
  CHECK(first.result() == Status::stopped);
  CHECK(second.result() == Status::stopped);
  CHECK(third.result() == Status::stopped);
  CHECK(fourth.result() == Status::stopped);
}

TEST_CASE("stop() ends a call that waits without ever sleeping (WaitMode::busy, P1)", "[threads]") {
  const ScratchGroup group;
  const Gate waits;
  Options options = group.options("P0");
  options.waiting = WaitMode::busy;
  options.observer = [&](const Event& event) {
    if (event.type == EventType::syncEnter) waits.open();
  };
  Communicator com(options);
  const Communicator other(group.options("P1"));
  auto call = std::async(std::launch::async, [&] { return com.synchronize(2).status; });
  waits.pass();
  REQUIRE(com.stop());
  CHECK(call.get() == Status::stopped);
}

TEST_CASE("stop() may be called again, and by several threads", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  Communicator witness(group.options("P1"));
  const auto results = inThreads(4, [&](int) { return std::string(toString(com.stop().status)); });
  CHECK(results == std::vector<std::string>(4, "ok"));
  REQUIRE(com.stop());
  CHECK(toText(witness.view()) == "3: P1 | P0 left");  // it left once
}

TEST_CASE("the last member removes the segment (P7)", "[threads]") {
  const ScratchGroup group;
  auto members = foundGroup(group, 3);
  REQUIRE(members[1]->stop());
  CHECK(group.exists());
  members[0].reset();  // the destructor stops as well
  CHECK(group.exists());
  REQUIRE(members[2]->stop());
  CHECK_FALSE(group.exists());
}

TEST_CASE("members that leave all at once leave nothing, too (P7)", "[threads]") {
  for (int round = 0; round < 20; ++round) {
    const ScratchGroup group;
    const auto members = foundGroup(group, 4);
    const auto results = inThreads(
        4, [&](int id) { return std::string(toString(members[static_cast<std::size_t>(id)]->stop().status)); });
    CHECK(results == std::vector<std::string>(4, "ok"));
    CHECK_FALSE(group.exists());
  }
}

TEST_CASE("after stop() every call says stopped", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  Communicator& com = *members[0];
  FencedCell<int> cell(com, "cell");
  REQUIRE(com.stop());
  CHECK(com.sendTo("x", 1).status == Status::stopped);
  CHECK(com.sendTo("x", members[1]->member()).status == Status::stopped);
  CHECK(com.publish("x").status == Status::stopped);
  CHECK(com.broadcast("x").status == Status::stopped);
  CHECK(com.receive().status() == Status::stopped);
  CHECK(com.tryReceive().status() == Status::stopped);
  std::byte buffer[4];
  CHECK(com.receiveInto(buffer).status() == Status::stopped);
  CHECK(com.synchronize().status == Status::stopped);
  CHECK(com.synchronize(2).status == Status::stopped);
  CHECK(com.sendToSync("x", 1).status == Status::stopped);
  CHECK(com.receiveFromSync(1).status() == Status::stopped);
  CHECK(com.broadcastSync("x", 0).status() == Status::stopped);
  CHECK(com.broadcastSync("x", 1).status() == Status::stopped);
  CHECK(com.requestSC().status() == Status::stopped);
  CHECK(com.trySC().status() == Status::stopped);
  CHECK(com.releaseSC().status == Status::stopped);
  CHECK(com.waitView(0).status() == Status::stopped);
  CHECK(cell.write(1, 1) == Status::stopped);
  CHECK(cell.read().status() == Status::stopped);
  // What it knew, it still knows.
  CHECK(com.id() == 0);
  CHECK(com.name() == "P0");
  CHECK(com.size() == 2);
  CHECK(com.clock() == 0);
  CHECK(com.stats().sent == 0);
  CHECK(members[1]->tryReceive().status() == Status::empty);
}

TEST_CASE("mail that was sent to a member that stopped is lost with it, and blocks nobody", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  REQUIRE(members[0]->sendTo("unread", 1));
  REQUIRE(members[0]->broadcast(std::string(100'000, 'x')));
  REQUIRE(members[1]->stop());
  CHECK(members[0]->sendTo("too late", 1).status == Status::staleView);
  // Its place and the outbox are free again.
  Communicator next(group.options("P1"));
  CHECK(next.tryReceive().status() == Status::empty);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(members[0]->broadcast(std::string(100'000, 'x')));
    REQUIRE(next.receive());
  }
}
