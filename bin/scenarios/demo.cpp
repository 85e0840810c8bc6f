#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "bin/scenarios/member.hpp"

// The specification's eight steps, with roles by id.
//
// What keeps it together whatever happens: before every step all members meet at a barrier of as many as their
// view has members, and take the roles of the step from that view. A barrier that fails (death, eviction, arrival)
// fails for all who are at it, and is repeated in the new view; so nobody is ever a step ahead. Calls refused
// within a step are shown, and the step is over. A latecomer goes to the next barrier like everybody; member 0
// then tells it which step this is. An evicted process comes back as a latecomer.
namespace ronde::tool {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Line kStep{"step", "DEMO", {"étape {step} : {title}", "step {step}: {title}"}};
constexpr Line kAlone{
    "alone", "DEMO", {"je suis seul : fin de la démonstration", "I am alone: end of the demonstration"}};
constexpr Line kLate{
    "late",
    "DEMO",
    {"arrivé en cours de route, j'attends la prochaine barrière", "came late, waiting for the next barrier"}};
constexpr Line kBack{"back", "DEMO", {"exclu, je me réinscris", "excluded, registering anew"}};
constexpr Line kLost{
    "lost",
    "DEMO",
    {"personne ne m'a dit l'étape, je quitte le groupe", "nobody told me the step, leaving the group"}};
constexpr Line kNoHeartbeat{
    "noHeartbeat", "DEMO", {"tous les heartbeats n'ont pas été vus", "not every heartbeat was seen"}};

constexpr Text kWelcome{"bienvenue, étape n°", "welcome, step no. "};
/// How long a latecomer waits to be told the step after its first barrier.
constexpr seconds kWelcomeLimit{5};
/// Barriers in a row that may end by timeout before a process gives up on its group.
constexpr int kPatience = 5;

class Demo {
 public:
  enum class End { finished, interrupted, excluded, broken };

  Demo(const ScenarioSettings& settings, Interruption& interruption)
      : settings_(settings), late_(settings.late), member_(settings, interruption), self_(com().member()) {}

  [[nodiscard]] End run();

 private:
  struct Phase {
    int step;
    Text title;
    void (Demo::*act)();
  };
  static const std::vector<Phase>& phases();

  // The steps. All of them are called by all members.
  void nothing() {}
  void awaitHeartbeats();
  void startToken();
  void sendAsynchronously();
  void broadcastSynchronously();
  void meetOneToOne();
  void enterFirst();
  void enterSecond();

  void play();
  /// The barrier before a step. False if there is nobody to meet.
  [[nodiscard]] bool meet();
  void welcomeNewcomers(std::size_t phase);
  /// For a latecomer after its first barrier: the phase that the others are at.
  [[nodiscard]] std::optional<std::size_t> awaitWelcome();
  /// Only between a step and the next barrier: a quicker member's synchronous message of the next step must be
  /// left to that step.
  void readMail() {
    member_.takeMail(settings_.pause, [](const Message&) { return false; });
  }

  /// The member that plays the role of `number` now; in a small group somebody plays several.
  [[nodiscard]] MemberId role(int number) const { return number % view_.size(); }
  [[nodiscard]] bool isMine(MemberId id) const { return view_.idOf(self_) == id; }
  [[nodiscard]] Communicator& com() { return member_.com(); }
  [[nodiscard]] const char* say(const Text& text) const { return text.in(settings_.language); }

  const ScenarioSettings& settings_;
  bool late_;
  ScenarioMember member_;
  const Member self_;
  View view_;                  ///< the one that the members agreed on at the last barrier
  std::vector<Member> known_;  ///< who needs no welcome
  std::optional<Section> section_;
};

const std::vector<Demo::Phase>& Demo::phases() {
  static const std::vector<Phase> all{
      {1, {"inscription (REGISTER), puis barrière", "registration (REGISTER), then barrier"}, &Demo::nothing},
      {2, {"heartbeats de tous", "everybody's heartbeats"}, &Demo::awaitHeartbeats},
      {3, {"démarrage du jeton par le dernier", "the last one starts the token"}, &Demo::startToken},
      {4, {"envois asynchrones", "asynchronous sends"}, &Demo::sendAsynchronously},
      {5, {"barrière, puis broadcastSync", "barrier, then broadcastSync"}, &Demo::broadcastSynchronously},
      {6,
       {"rendez-vous sendToSync / receiveFromSync", "rendezvous sendToSync / receiveFromSync"},
       &Demo::meetOneToOne},
      {7, {"section critique, premier entrant", "critical section, the first"}, &Demo::enterFirst},
      {7, {"section critique, second entrant", "critical section, the second"}, &Demo::enterSecond},
      {8, {"arrêt propre", "clean stop"}, &Demo::nothing},
  };
  return all;
}

Demo::End Demo::run() {
  try {
    play();
    return End::finished;
  } catch (const Ended& ended) {
    switch (ended.why) {
      case Ended::Why::interrupted: return End::interrupted;
      case Ended::Why::corrupt:
      case Ended::Why::unmet: return End::broken;
      case Ended::Why::evicted: member_.trace().remark(kBack);
    }
    return End::excluded;
  }
}

void Demo::play() {
  if (late_) {
    member_.trace().remark(kLate);
  } else {
    known_ = member_.foundersIn(member_.view());
  }
  for (std::size_t phase = 0; phase < phases().size(); ++phase) {
    if (!meet()) break;
    if (late_) {
      const auto told = awaitWelcome();
      if (!told) break;
      phase = *told;
      late_ = false;
    } else {
      welcomeNewcomers(phase);
    }
    const Phase& now = phases()[phase];
    if (isMine(0)) member_.trace().remark(kStep, {{"step", now.step}, {"title", say(now.title)}});
    (this->*now.act)();
    if (phase + 1 < phases().size()) readMail();
  }
  section_.reset();
  member_.handle("stop", com().stop());
}

bool Demo::meet() {
  for (int timeouts = 0; timeouts < kPatience;) {
    view_ = member_.view();
    if (view_.size() == 1) {
      member_.trace().remark(kAlone);
      return false;
    }
    const Outcome outcome = com().synchronize(view_.size());
    if (outcome.ok()) {
      // Views of equal size need not be the same one: if there was a change meanwhile, all look again.
      if (outcome.view != view_.number) view_ = member_.view();
      return true;
    }
    member_.check(outcome);  // the trace has shown it: [SYNC]
    if (outcome.status == Status::timeout) ++timeouts;
  }
  throw Ended{Ended::Why::unmet};
}

void Demo::welcomeNewcomers(std::size_t phase) {
  std::vector<Member> present;
  for (const ViewMember& one : view_.members) {
    present.push_back(one.member);
    const bool isNew = std::find(known_.begin(), known_.end(), one.member) == known_.end();
    if (!isNew || !isMine(0)) continue;
    member_.handle("sendTo", com().sendTo(say(kWelcome) + std::to_string(phase + 1), one.member));
  }
  known_ = std::move(present);
}

std::optional<std::size_t> Demo::awaitWelcome() {
  for (const ViewMember& one : view_.members) known_.push_back(one.member);
  const std::string_view greeting = say(kWelcome);
  std::size_t number = 0;
  const bool told = member_.takeMail(kWelcomeLimit, [&](const Message& message) {
    if (!message.text().starts_with(greeting)) return false;
    const std::string_view digits = message.text().substr(greeting.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number >= 1 && number <= phases().size();
  });
  if (told) return number - 1;
  member_.trace().remark(kLost);
  return std::nullopt;
}

void Demo::awaitHeartbeats() {
  const milliseconds limit = Options::fromEnvironment().heartbeatTimeout * 2;
  if (!member_.awaitHeartbeats(limit)) member_.trace().remark(kNoHeartbeat);
}

/// There is one token from the beginning; the last member takes it first, and passes it on to member 0.
void Demo::startToken() {
  if (!isMine(view_.size() - 1)) return;
  auto section = com().requestSC();
  member_.handle("requestSC", section.outcome());
}

void Demo::sendAsynchronously() {
  if (!isMine(role(1))) return;
  member_.handle("broadcast", com().broadcast(say({"bonjour à tous les autres", "hello to all others"})));
  member_.handle("sendTo", com().sendTo(say({"bonjour à toi", "hello to you"}), role(2)));
  member_.handle("publish", com().publish(say({"bonjour à tous, moi compris", "hello to all and me"})));
}

void Demo::broadcastSynchronously() {
  const auto result = com().broadcastSync(say({"annonce synchrone", "synchronous announcement"}), role(0));
  member_.handle("broadcastSync", result.outcome());
}

void Demo::meetOneToOne() {
  if (isMine(role(0))) {
    member_.handle("sendToSync", com().sendToSync(say({"rendez-vous", "rendezvous"}), role(1)));
  } else if (isMine(role(1))) {
    const auto message = com().receiveFromSync(role(0));
    member_.handle("receiveFromSync", message.outcome());
  }
}

/// Inside when everybody meets at the next barrier, so that the second has to wait for it.
void Demo::enterFirst() {
  if (!isMine(role(1))) return;
  auto section = com().requestSC();
  member_.handle("requestSC", section.outcome());
  if (section) section_ = std::move(*section);
}

void Demo::enterSecond() {
  const bool wantsIn = isMine(role(2));
  if (section_) {
    readMail();
    member_.handle("releaseSC", com().releaseSC());
    section_.reset();
  }
  if (!wantsIn) return;
  auto section = com().requestSC();
  member_.handle("requestSC", section.outcome());
  if (section) readMail();
}

}  // namespace

int runDemo(const ScenarioSettings& settings) {
  Interruption interruption;
  ScenarioSettings current = settings;
  for (;;) {
    Demo demo(current, interruption);
    switch (demo.run()) {
      case Demo::End::finished:
      case Demo::End::interrupted: return interruption.exitCode();
      case Demo::End::broken: return 1;
      case Demo::End::excluded: current.late = true;
    }
  }
}

}  // namespace ronde::tool
