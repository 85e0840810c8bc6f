#include "tests/crash/crew.hpp"

#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <thread>

#include "tests/crash/exercise.hpp"

namespace ronde::crash {
namespace {

/// The victim may be stepped for long; the explorer's watchdog ends what hangs after that.
constexpr std::chrono::hours kForLong{1};

class Crew {
 public:
  Crew(const Plan& plan, Board& board) : plan_(plan), board_(board), pair_(board, 2), trio_(board, 3) {}

  void run() {
    {
      const std::jthread a([this] { guarded([this] { survive(0); }); });
      const std::jthread b([this] { guarded([this] { survive(1); }); });
      const std::jthread c([this] { guarded([this] { joinLate(); }); });
    }
    guarded([this] {
      judge();
      require(!Look::at(plan_.group), "the segment was not removed by the last member");
    });
  }

 private:
  /// Ends the process at the first violation: the others may wait for this thread for ever.
  template <class Work>
  void guarded(Work work) {
    try {
      work();
    } catch (const std::exception& error) {
      std::snprintf(board_.violation.data(), board_.violation.size(), "%s", error.what());
      _exit(1);
    }
  }

  [[nodiscard]] bool isFoundingLate() const {
    return plan_.scenario.entry == Entry::alone || plan_.scenario.entry == Entry::third;
  }

  [[nodiscard]] Options options(const char* name) {
    Options options = plan_.options(name);
    options.observer = [this](const Event& event) {
      if (event.roster != nullptr) noteView(*event.roster);
    };
    return options;
  }

  /// P4: whoever sees view n sees the same view n.
  void noteView(const View& view) {
    std::string text;
    for (const ViewMember& member : view.members) {
      text += std::string(member.name.view()) + "/" + std::to_string(member.member.slot) + "." +
              std::to_string(member.member.incarnation) + " ";
    }
    const std::lock_guard guard(mutex_);
    const std::string& known = views_.emplace(view.number, text).first->second;
    guarded(
        [&] { require(known == text, "two views " + std::to_string(view.number) + ": " + known + "| " + text); });
    for (const DepartedMember& gone : view.departed) {
      if (gone.name.view() == plan_.stepped() && gone.reason == Departure::silent) board_.evicted = true;
    }
  }

  void survive(std::size_t index) {
    const Scenario& scenario = plan_.scenario;
    const char* name = index == 0 ? "a" : "b";
    if (scenario.entry == Entry::third && index == 0) board_.crewReady.open();
    if (scenario.entry == Entry::alone) {
      if (index == 0) board_.crewReady.open();
      awaitVictimGone();
    }
    Communicator me(options(name));
    Actor actor{.me = me, .board = board_, .group = plan_.group, .payload = pattern(kVictimTag, scenario.size)};
    if (scenario.prepareCrew) scenario.prepareCrew(actor);
    pair_.meet();
    if (index == 0) board_.crewReady.open();
    if (scenario.peer) {
      if (!scenario.peersFirst) require(board_.peersGo.await(kForLong), "the explorer does not go on");
      peer_[index] = pair_.timed([&] { return scenario.peer(actor); });
    }
    awaitVictimGone();
    awaitOthersGone(actor);
    drain(actor);
    victimMessages_[index] = actor.victimMessages;
    actor.section.reset();
    // The newcomer is one of the founders there.
    if (!isFoundingLate()) {
      pair_.meet();
      pair_.run(me);
    }
    if (plan_.mode == Mode::stop) {
      if (isFoundingLate()) trio_.meet();
      pair_.meet();
      if (index == 0) board_.crewIsDone.open();
      require(board_.victimEnded.await(kForLong), "the explorer does not go on");
      awaitOthersGone(actor);
      drain(actor);
      require(actor.victimMessages == victimMessages_[index],
              me.name() + " got what the evicted member sent late");
    }
    pair_.meet();
    newcomerMayJoin_.open();
    together(me);
  }

  void joinLate() {
    require(isFoundingLate() ? board_.victimGone.await(kForLong) : newcomerMayJoin_.await(kForLong),
            "the survivors do not go on");
    const auto joined = pair_.timed([this] { return std::make_unique<Communicator>(options("c")); });
    Communicator& me = *joined;
    if (isFoundingLate() && plan_.mode == Mode::stop) trio_.meet();
    if (isFoundingLate()) require(newcomerMayJoin_.await(kForLong), "the survivors do not go on");
    together(me);
  }

  /// The survivors and the newcomer, in the end.
  void together(Communicator& me) {
    for (std::uint64_t seen = 0; me.view().size() != 3 || me.view().idOf(plan_.stepped()) >= 0;
         seen = me.viewNumber()) {
      require(trio_.timed([&] { return me.waitView(seen); }).ok(), me.name() + " waits for the newcomer in vain");
    }
    trio_.meet();
    trio_.run(me);
    if (me.name() == "a") awaitNothingHeld();
    trio_.meet();
    const Outcome outcome = trio_.timed([&] { return me.stop(); });
    require(outcome.ok(), me.name() + ": stop: " + outcome.text());
  }

  void awaitVictimGone() const { require(board_.victimGone.await(kForLong), "the explorer does not go on"); }

  void awaitOthersGone(Actor& actor) {
    const auto isIn = [](const View& view, const char* name) { return view.idOf(name) != kUnknownId; };
    for (View view = actor.me.view(); isIn(view, "v") || isIn(view, "w"); view = actor.me.view()) {
      const auto waited = pair_.timed([&] { return actor.me.waitView(view.number); });
      require(waited.ok(), actor.me.name() + " waits for the view without the dead: " + waited.outcome().text());
    }
    actor.lookUntil([](const Look& look) { return look.isSettled(); });
  }

  void drain(Actor& actor) {
    for (;;) {
      const auto message = pair_.timed([&] { return actor.me.tryReceive(); });
      if (message.status() == Status::empty) return;
      const Status taken = actor.tally(message);
      require(taken == Status::ok, actor.me.name() + ": tryReceive: " + std::string(toString(taken)));
    }
  }

  /// Neither locks nor the slots of those that are gone.
  void awaitNothingHeld() {
    const auto look = Look::at(plan_.group);
    require(look.has_value(), "the living group has no segment");
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!look->heldLock().empty() || !look->departed().empty()) {
      require(std::chrono::steady_clock::now() < until,
              "held for good: lock " + look->heldLock() + " " + look->departed());
      sched_yield();
    }
  }

  /// What the parts of the operation tell together.
  void judge() const {
    const bool victimOk = board_.reported == static_cast<int>(Status::ok);
    const auto text = [this] {
      return "a has " + std::to_string(victimMessages_[0]) + ", b has " + std::to_string(victimMessages_[1]) +
             " of its messages; a: " + std::string(toString(peer_[0])) +
             ", b: " + std::string(toString(peer_[1])) +
             (board_.reported == static_cast<int>(Status::ok) ? "; reported ok" : "; not reported");
    };
    const int a = victimMessages_[0];
    const int b = victimMessages_[1];
    const Mail mail = plan_.scenario.mail;
    require(a <= 1 && b <= 1, "doubled: " + text());
    require(mail != Mail::none || a + b == 0, "somebody got a message of nobody's: " + text());
    require(mail != Mail::toA || b == 0, "the wrong member got the message: " + text());
    require(mail != Mail::all || a == b, "not all or none: " + text());
    require(mail == Mail::none || !victimOk || a == 1, "lost though reported ok: " + text());

    const Peers peers = plan_.scenario.peers;
    for (const Status status : peer_) {
      const bool isFine = status == Status::ok || (status == Status::peerFailed && peers != Peers::ok);
      require(isFine, "a survivor's part ended badly: " + text());
      require(!victimOk || status == Status::ok, "reported ok, but not to the others: " + text());
    }
    require(peers != Peers::alike || peer_[0] == peer_[1], "participants' results differ: " + text());
  }

  const Plan& plan_;
  Board& board_;
  Exercise pair_;
  Exercise trio_;
  Gate newcomerMayJoin_;
  std::array<int, 2> victimMessages_{};
  std::array<Status, 2> peer_{};
  std::mutex mutex_;
  std::map<std::uint64_t, std::string> views_;
};

}  // namespace

Options Plan::options(const char* name) const {
  using std::chrono::milliseconds;
  Options options;
  options.group = group;
  options.name = name;
  options.expected = expected();
  // Where the dead leave their slots, as many as there are members at once, so that the newcomer needs theirs. A
  // stopped process keeps its slot.
  options.capacity = mode == Mode::stop ? 6 : std::max(3, expected());
  options.mailboxMessages = 64;
  options.mailboxBytes = 64 * 1024;
  options.maxMessage = 64 * 1024;
  // A service thread that is stepped takes far longer for its round, and would never come to its sleep.
  options.heartbeatInterval = milliseconds(hasRepairer() ? 200 : 20);
  if (mode == Mode::stop) {
    options.heartbeatTimeout = 6 * options.heartbeatInterval;
  } else {
    options.heartbeatTimeout = std::chrono::minutes(1);
  }
  options.timeout = kPatience;
  // A constructor that is stepped takes its 100,000 instructions' time, on a busy machine half a minute, and the
  // others wait for it. How long they wait after it is taken away is the watchdog's to judge.
  options.registrationTimeout = std::chrono::minutes(5);
  return options;
}

void runCrew(const Plan& plan, Board& board) {
  Crew(plan, board).run();
  _exit(board.violation[0] == '\0' ? 0 : 1);
}

}  // namespace ronde::crash
