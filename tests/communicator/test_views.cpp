#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

/// The first view after the founding one in which `count` members are gone.
std::string viewWithout(Communicator& com, std::size_t count) {
  std::uint64_t number = 1;
  for (;;) {
    const auto view = com.waitView(number);
    if (!view) return std::string(toString(view.status()));
    if (view->departed.size() >= count) return toText(*view) + ", mine " + std::to_string(com.id());
    number = view->number;
  }
}

}  // namespace

TEST_CASE("stop() renumbers the others, in arrival order (P4)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  REQUIRE(members[1]->stop());
  CHECK(viewWithout(*members[0], 1) == "2: P0 P2 | P1 left, mine 0");
  CHECK(viewWithout(*members[2], 1) == "2: P0 P2 | P1 left, mine 1");
  const View view = members[0]->view();
  CHECK(view.departed[0].view == 2);
  CHECK(view.departed[0].member == members[1]->member());
}

TEST_CASE("kill -9 renumbers the others; the reason is died (P1)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  std::vector<Child> children;
  for (int i = 0; i < 4; ++i) {
    children.emplace_back([&, i] {
      Communicator com(group.options(i, 4));
      ready.open();
      if (i == 1) return stayUntilKilled();
      return viewWithout(com, 1);
    });
    if (i < 3) group.awaitArrivals(i + 1);
  }
  awaitOpen(children, ready);
  children[1].kill();
  // Everybody leaves once it has seen the view, so a slow one may find a neighbour gone as well.
  const auto isView = [](const std::string& report, const std::string& first) {
    return report == first || (mentions(report, {"P1 died"}) && mentions(report, {"left"}));
  };
  CHECK(isView(children[0].report(), "2: P0 P2 P3 | P1 died, mine 0"));
  CHECK(isView(children[2].report(), "2: P0 P2 P3 | P1 died, mine 1"));
  CHECK(isView(children[3].report(), "2: P0 P2 P3 | P1 died, mine 2"));
}

TEST_CASE("a plain exit without stop() is a death, too (F1)", "[process]") {
  const ScratchGroup group;
  Child leaver([&]() -> std::string {
    Communicator com(group.options("P1", 2));
    _exit(0);
  });
  Communicator com(group.options("P0", 2));
  std::string seen = viewWithout(com, 1);
  CHECK(mentions(seen, {"2: P0 | P1 died"}));
  CHECK(leaver.report().empty());
}

TEST_CASE("whoever is stopped too long is evicted as silent, learns it, and may come back (F2)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  const Gate mayLeave;
  Child sleeper([&] {
    Communicator com(group.impatient("P0"));
    ready.open();
    awaitSize(com, 3);
    const Member before = com.member();
    std::string said(toString(com.sendTo("before", 1).status));
    ready.open();
    // Stopped in here, and resumed after the others have excluded it. Nobody ever sends to it.
    said += ", " + std::string(toString(com.receive(60s).status())) + ":";
    for (const Status status : {com.sendTo("late", 1).status, com.publish("late").status,
                                com.tryReceive().status(), com.synchronize().status, com.requestSC().status(),
                                com.sendToSync("late", 1).status, com.waitView(0).status()}) {
      said += " " + std::string(toString(status));
    }
    com.rejoin();
    said += com.member() == before ? ", same" : ", new";
    said += " id " + std::to_string(com.id()) + " clock " + std::to_string(com.clock());
    said += com.sendTo("after", 0) ? "" : ", could not send";
    ready.open();
    mayLeave.pass();
    return said;
  });
  sleeper.awaitOpen(ready);
  Communicator first(group.impatient("P1"));
  Communicator second(group.impatient("P2"));
  sleeper.awaitOpen(ready);
  awaitAsleep(sleeper.pid());
  sleeper.stop();
  CHECK(viewWithout(first, 1) == "4: P1 P2 | P0 silent, mine 0");
  CHECK(viewWithout(second, 1) == "4: P1 P2 | P0 silent, mine 1");
  sleeper.resume();
  sleeper.awaitOpen(ready);
  CHECK(toText(second.view()) == "5: P1 P2 P0 | P0 silent");
  mayLeave.open();
  CHECK(sleeper.report() ==
        "ok, evicted: evicted evicted evicted evicted evicted evicted evicted, new id 2 clock 0");
  // What it sent as a member is there, what it sent as an evicted one is not.
  CHECK(first.receive()->text() == "before");
  CHECK(first.receive()->text() == "after");
  CHECK(first.tryReceive().status() == Status::empty);
  CHECK(second.tryReceive().status() == Status::empty);
}

TEST_CASE("nobody is evicted when all were stopped at once (F3)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  const Gate resumed;
  auto children = forkChildren(3, [&](int i) {
    Options options = group.impatient(i, 3);
    options.heartbeatInterval = 10ms;
    options.heartbeatTimeout = 300ms;
    std::atomic<int> beats{0};
    options.observer = [&](const Event& event) {
      if (event.type == EventType::heartbeat) beats.fetch_add(1);
    };
    Communicator com(options);
    ready.open();
    resumed.pass();
    const int before = beats.load();
    while (beats.load() < before + 20) std::this_thread::yield();  // has judged the others several times since
    const std::string seen = std::to_string(com.viewNumber());
    return com.synchronize() ? seen : "the barrier failed";
  });
  awaitOpen(children, ready);
  for (const Child& child : children) child.stop();
  // No synchronisation: what is tested is that time passes, longer than the limit.
  std::this_thread::sleep_for(700ms);
  for (const Child& child : children) child.resume();
  resumed.open(3);
  CHECK(reportsOf(children) == std::vector<std::string>(3, "1"));
}

TEST_CASE("with SilencePolicy::wait a stopped member stays (F2)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child sleeper([&] {
    Options options = group.impatient("P0");
    options.onSilent = SilencePolicy::wait;
    options.heartbeatTimeout = 100ms;
    Communicator com(options);
    ready.open();
    const auto heard = com.receive(60s);
    return heard ? std::string(heard->text()) + " from " + std::string(heard->name.view()) : "nothing";
  });
  sleeper.awaitOpen(ready);
  Communicator com(group.impatient("P1"));
  awaitAsleep(sleeper.pid());
  sleeper.stop();
  // Time passes, much longer than the limit.
  CHECK(com.waitView(2, 500ms).status() == Status::timeout);
  REQUIRE(com.sendTo("are you there", 0));
  sleeper.resume();
  CHECK(sleeper.report() == "are you there from P1");
}

TEST_CASE("an id means the view that the program looked at last, and never a neighbour (P4)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 4);
  Communicator& sender = *members[0];
  REQUIRE(members[1]->stop());
  REQUIRE(members[2]->waitView(1));
  REQUIRE(sender.viewNumber() == 2);  // a look without adopting
  CHECK(sender.size() == 4);

  REQUIRE(sender.sendTo("for P2", 2));
  REQUIRE(sender.sendTo("for P3", 3));
  const Outcome refused = sender.sendTo("for P1", 1);
  CHECK(everything(refused) == "stale view, view 1, acknowledged {}, failed {1}, missing {}");
  CHECK(members[2]->receive()->text() == "for P2");
  CHECK(members[3]->receive()->text() == "for P3");

  CHECK(sender.view().number == 2);
  REQUIRE(sender.sendTo("for P2, now 1", 1));
  CHECK(members[2]->receive()->text() == "for P2, now 1");
  CHECK(members[3]->tryReceive().status() == Status::empty);
}

TEST_CASE("a member handle never means a newcomer in the same place (P4)", "[threads]") {
  const ScratchGroup group;
  Communicator sender(group.options("P0"));
  auto former = std::make_unique<Communicator>(group.options("P1"));
  const Member handle = former->member();
  REQUIRE(sender.sendTo("to the former", handle));
  former.reset();
  // The place is free again when the others have cleaned it; a newcomer before that gets another one.
  auto newcomer = std::make_unique<Communicator>(group.options("P1"));
  while (newcomer->member().slot != handle.slot) {
    newcomer.reset();
    newcomer = std::make_unique<Communicator>(group.options("P1"));
  }
  CHECK(sender.sendTo("to the former", handle).status == Status::staleView);
  REQUIRE(sender.sendTo("to the newcomer", newcomer->member()));
  CHECK(newcomer->receive()->text() == "to the newcomer");
  const View view = sender.view();
  CHECK(view.idOf(handle) == kUnknownId);
  CHECK(view.idOf(newcomer->member()) == 1);
  CHECK(view.idOf("P1") == 1);
  CHECK(view.idOf("P7") == kUnknownId);
}

TEST_CASE("waitView() ends at its deadline, and at once if the view is there already (P1)", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  CHECK(com.waitView(1, 1ms).status() == Status::timeout);
  const auto view = com.waitView(0, 0ms);
  REQUIRE(view);
  CHECK(view->number == 1);
}

TEST_CASE("a view remembers the last departures of the group", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("stays"));
  for (int i = 0; i < View::kRememberedDepartures + 6; ++i) const Communicator guest(group.options(i, 1));
  const View view = com.view();
  REQUIRE(view.departed.size() == View::kRememberedDepartures);
  CHECK(view.departed.front().name.view() == "P6");
  CHECK(view.departed.back().name.view() == "P69");
  CHECK(view.departed.back().view == view.number);
}

namespace {

/// Collects the views that one member is told of.
class ViewDiary {
 public:
  [[nodiscard]] Observer observer() {
    return [this](const Event& event) {
      if (event.roster == nullptr) return;
      const std::lock_guard guard(mutex_);
      const bool next = lastNumber_ < event.roster->number;
      text_ += (next ? "" : "OUT OF ORDER ") + toText(*event.roster) + "\n";
      lastNumber_ = event.roster->number;
    };
  }
  std::string text() {
    const std::lock_guard guard(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::uint64_t lastNumber_ = 0;
  std::string text_;
};

std::map<std::uint64_t, std::string> viewsIn(const std::string& diary) {
  std::map<std::uint64_t, std::string> views;
  std::istringstream lines(diary);
  for (std::string line; std::getline(lines, line);) views[std::stoull(line)] = line;
  return views;
}

}  // namespace

TEST_CASE("all members see the same sequence of views, whoever comes, leaves and dies (P4)", "[process]") {
  const ScratchGroup group;
  constexpr int kWitnesses = 3;
  const Gate ready;
  const Gate over;
  auto witnesses = forkChildren(kWitnesses, [&](int i) {
    ViewDiary diary;
    Options options = group.options(i, kWitnesses);
    options.observer = diary.observer();
    Communicator com(options);
    ready.open();
    over.pass();
    return com.synchronize() ? diary.text() : "the barrier failed";
  });
  awaitOpen(witnesses, ready);
  for (int round = 0; round < 15; ++round) {
    const Gate joined;
    auto guests = forkChildren(3, [&](int i) -> std::string {
      Communicator com(group.options("guest" + std::to_string(i), kWitnesses));
      joined.open();
      if (i == 0) return stayUntilKilled();
      if (i == 1) _exit(0);
      return std::string(toString(com.stop().status));
    });
    awaitOpen(guests, joined);
    guests[0].kill();
    CHECK(guests[2].report() == "ok");
  }
  over.open(kWitnesses);
  const auto reports = reportsOf(witnesses);
  const auto first = viewsIn(reports[0]);
  CHECK(first.size() > 15);
  for (const std::string& report : reports) {
    CHECK(report.find("OUT OF ORDER") == std::string::npos);
    for (const auto& [number, view] : viewsIn(report)) {
      const auto same = first.find(number);
      if (same != first.end()) CHECK(view == same->second);
    }
  }
}
