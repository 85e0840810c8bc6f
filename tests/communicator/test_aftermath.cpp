#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/random.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/sleeper.hpp"

// What the killed and the evicted leave half done.

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

/// A newcomer in the very slot that `former` had, once that is free.
std::unique_ptr<Communicator> successorOf(Member former, const Options& options) {
  for (;;) {
    auto newcomer = std::make_unique<Communicator>(options);
    if (newcomer->member().slot == former.slot) return newcomer;
  }
}

}  // namespace

TEST_CASE("whoever is killed while it waits for the section leaves no wish to the next in its slot (P2)",
          "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child waiter([&] {
    Communicator com(group.options("P0"));
    ready.open();
    awaitSize(com, 3);
    ready.open();
    return std::string(toString(com.requestSC().status()));
  });
  waiter.awaitOpen(ready);
  Communicator holder(group.options("P1"));
  const Member former = holder.view().members[0].member;
  auto section = holder.requestSC();
  REQUIRE(section);
  Communicator other(group.options("P2"));
  waiter.awaitOpen(ready);
  awaitAsleep(waiter.pid());
  waiter.kill();
  const auto newcomer = successorOf(former, group.options("P3"));
  // The newcomer never asks; were the section handed to it, nobody would give it back.
  section->release();
  CHECK(other.requestSC());
  CHECK(holder.requestSC());
}

TEST_CASE(
    "a sender that is evicted in the middle of a broadcast leaves it to the others, and all get it once (P5)",
    "[process]") {
  const std::string text = "short enough to need room: long ones have cells of their own";
  const ScratchGroup group;
  const Gate ready;
  const auto options = [&](const char* name) {
    Options one = group.impatient(name);
    one.mailboxMessages = 64;
    return one;
  };
  Child sender([&] {
    Communicator com(options("P0"));
    ready.open();
    awaitSize(com, 3);
    while (com.sendTo("filler", 2, 0ms)) {
    }
    ready.open();
    return everything(com.broadcast(text, 60s));  // P1 has room, P2 has none
  });
  sender.awaitOpen(ready);
  Communicator roomy(options("P1"));
  Communicator full(options("P2"));
  sender.awaitOpen(ready);
  CHECK(roomy.receive()->text() == text);
  awaitAsleep(sender.pid());
  awaitSize(roomy, 3);
  sender.stop();
  awaitSize(roomy, 2);
  sender.resume();
  // It says so, and takes nothing back any more.
  const std::string report = sender.report();
  CHECK(mentions(report, {"evicted", "acknowledged {1}", "missing {2}"}));

  std::string last;
  int others = 0;
  for (auto message = full.receive(); last.empty() && message; message = full.receive()) {
    if (message->text() != "filler") {
      last = message->text();
      break;
    }
    ++others;
  }
  CHECK(others > 0);
  CHECK(last == text);
  CHECK(roomy.tryReceive().status() == Status::empty);
  CHECK(full.tryReceive().status() == Status::empty);
}

TEST_CASE("a name whose members were all killed is free, though an evicted one is stopped and still has the file",
          "[process]") {
  const ScratchGroup group;
  const Gate ready;
  const Gate alone;
  Child evicted([&] {
    Communicator com(group.impatient("P0"));
    ready.open();
    return std::string(toString(com.receive(60s).status()));
  });
  evicted.awaitOpen(ready);
  Child last([&] {
    Communicator com(group.impatient("P1"));
    ready.open();
    awaitSize(com, 1);
    alone.open();
    return stayUntilKilled();
  });
  last.awaitOpen(ready);
  awaitAsleep(evicted.pid());
  evicted.stop();
  last.awaitOpen(alone);
  last.kill();
  {
    const Communicator newcomer(group.impatient("P0"));  // even its name is free
    CHECK(newcomer.id() == 0);
    CHECK(newcomer.size() == 1);
    CHECK(newcomer.viewNumber() == 1);
    evicted.resume();
    CHECK(evicted.report() == "evicted");
    CHECK(newcomer.size() == 1);
    CHECK(group.exists());  // the former group's last does not take the new one's name away
  }
}
