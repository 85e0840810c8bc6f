#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <random>
#include <vector>

#include "bin/scenarios/member.hpp"

// A game of dice: in turn, each player throws inside the critical section and publishes its score; the first at 20
// announces itself by broadcastSync.
//
// The founding cohort plays, in the order of its ids, as far as it lives at the first barrier; whoever comes later
// watches. Turns are numbered, and everybody learns each turn's end from the mail before the next one is taken, so
// with the same seed the game is the same. When a player departs, the next living one in order publishes "nobody"
// for its turn, unless the throw is there already; whichever of the two comes first ends the turn, and it does not
// matter which: a departed player cannot win any more, because a win counts only once all living players have
// taken the announcement and met the winner at a barrier.
namespace ronde::tool {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kGoal = 20;
/// How often a waiting player looks whether the one it waits for is still there.
constexpr milliseconds kLook{20};
/// A barrier with a watcher in the group does not notice a player's death, so it is tried in slices.
constexpr seconds kMeetSlice{2};
/// A process gives up on players that live but do nothing for so long.
constexpr seconds kPatience{60};

constexpr Line kThrow{
    "throw", "DICE", {"tour {turn} : je lance {die}, total {total}", "turn {turn}: I throw {die}, total {total}"}};
constexpr Line kGame{"game", "DICE", {"une partie avec --seed {seed}", "a game with --seed {seed}"}};
constexpr Line kWatch{"watch", "DICE", {"je regarde le jeu des autres", "watching the others play"}};
constexpr Line kOut{"out", "DICE", {"exclu du jeu, je quitte la table", "excluded from the game, leaving"}};
constexpr Line kWinner{
    "winner", "DICE", {"vainqueur : {winner} avec {total} points", "winner: {winner} with {total} points"}};

constexpr Text kStart{"que le jeu commence", "let the game begin"};
constexpr Text kPing{"ping", "ping"};
constexpr Text kThrown{"tour {turn} : dé {die}, total {total}", "turn {turn}: die {die}, total {total}"};
constexpr Text kNobody{"tour {turn} : personne", "turn {turn}: nobody"};
constexpr Text kWon{"gagné avec {total} points", "won with {total} points"};

/// The whole numbers in `text`, in order: what the messages say, in either language.
std::vector<int> numbersIn(std::string_view text) {
  std::vector<int> numbers;
  bool inNumber = false;
  for (const char c : text) {
    const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    if (digit && !inNumber) numbers.push_back(0);
    if (digit) numbers.back() = (numbers.back() % 100'000'000) * 10 + (c - '0');
    inNumber = digit;
  }
  return numbers;
}

class Dice {
 public:
  Dice(const ScenarioSettings& settings, Interruption& interruption)
      : settings_(settings), member_(settings, interruption), self_(com().member()) {}

  /// A whole game; latecomers only watch. @throws Ended
  void run() {
    if (!settings_.late && gather()) {
      open();
      play();
    } else {
      watch();
    }
  }
  void leave() { member_.trace().remark(kOut); }

 private:
  /// The barrier after REGISTER, where the players agree on who they are. False if we are not one of them.
  [[nodiscard]] bool gather();
  void open();
  void play();
  /// Receives what there is until somebody has won.
  void watch();
  void takeTurn();
  /// How turn `turn_` ended: the thrower's total, 0 if nobody threw.
  int awaitTurn();
  /// The announcement, and the barrier that makes it count. False: the winner has departed.
  bool announce(Member winner, int total);
  bool meetPlayers(Member winner);

  void note(const Message& message);
  void refreshView() { view_ = member_.view(); }
  [[nodiscard]] bool lives(Member player) const { return view_.idOf(player) != kUnknownId; }
  /// The first living player at or after position `from` in the order of turns.
  [[nodiscard]] Member livingFrom(std::size_t from) const;
  [[nodiscard]] int livingPlayers() const {
    return static_cast<int>(
        std::count_if(players_.begin(), players_.end(), [&](Member one) { return lives(one); }));
  }
  [[nodiscard]] std::string say(const Text& text, const Fields& fields = Fields::object()) const {
    return fill(text, fields, settings_.language);
  }
  [[nodiscard]] Communicator& com() { return member_.com(); }
  [[nodiscard]] std::chrono::steady_clock::time_point patienceEnd() const {
    return std::chrono::steady_clock::now() + kPatience + 4 * settings_.pause;
  }

  const ScenarioSettings& settings_;
  ScenarioMember member_;
  const Member self_;
  View view_;
  std::vector<Member> players_;  ///< in the order of turns
  std::mt19937 random_;
  std::size_t turn_ = 0;
  int total_ = 0;
  std::map<std::size_t, int> ended_;  ///< turns whose end is known: total of the thrower, 0 for nobody
};

Member Dice::livingFrom(std::size_t from) const {
  for (std::size_t i = 0; i < players_.size(); ++i) {
    const Member player = players_[(from + i) % players_.size()];
    if (lives(player)) return player;
  }
  return self_;
}

void Dice::play() {
  for (;; ++turn_) {
    const Member thrower = players_[turn_ % players_.size()];
    if (thrower == self_) takeTurn();
    const int total = awaitTurn();
    if (total < kGoal || !announce(thrower, total)) continue;
    if (thrower != self_) {
      member_.handle("stop", com().stop());
      return;
    }
    for (bool changes = true; changes && livingPlayers() > 1;) {  // the last word is the winner's
      const auto next = com().waitView(view_.number);
      member_.handle("waitView", next.outcome());
      changes = next.ok();
      refreshView();
    }
    member_.handle("stop", com().stop());
    member_.trace().remark(kWinner, {{"winner", com().name()}, {"total", total}});
    return;
  }
}

bool Dice::gather() {
  for (const auto end = patienceEnd(); std::chrono::steady_clock::now() < end;) {
    refreshView();
    players_ = member_.foundersIn(view_);
    const auto own = std::find(players_.begin(), players_.end(), self_);
    if (own == players_.end()) return false;
    // Who sees another number of departures has another N, and all look again.
    const Outcome outcome = com().synchronize(static_cast<int>(players_.size()), kMeetSlice);
    if (outcome.ok()) {
      std::seed_seq seed{settings_.seed & 0xffffffff, settings_.seed >> 32,
                         static_cast<std::uint64_t>(own - players_.begin())};
      random_.seed(seed);
      return true;
    }
    member_.check(outcome);
  }
  throw Ended{Ended::Why::unmet};
}

/// Calls refused because somebody has just died need no repetition: they are for greeting.
void Dice::open() {
  if (self_ == players_[0]) member_.trace().remark(kGame, {{"seed", settings_.seed}});
  const MemberId first = view_.idOf(players_.front());
  if (players_.size() > 1 && self_ == players_[0]) {
    member_.handle("sendToSync", com().sendToSync(say(kPing), view_.idOf(players_[1])));
  } else if (players_.size() > 1 && self_ == players_[1]) {
    member_.handle("receiveFromSync", com().receiveFromSync(first).outcome());
  }
  member_.handle("broadcastSync", com().broadcastSync(say(kStart), first).outcome());
}

void Dice::takeTurn() {
  auto section = com().requestSC();
  while (!section) {
    member_.handle("requestSC", section.outcome());
    section = com().requestSC();
  }
  const int die = 1 + static_cast<int>(random_() % 6);
  total_ += die;
  const Fields fields{{"turn", turn_ + 1}, {"die", die}, {"total", total_}};
  member_.trace().remark(kThrow, fields);
  member_.handle("publish", com().publish(say(kThrown, fields)));
  member_.takeMail(settings_.pause, [&](const Message& message) {
    note(message);
    return false;
  });
}

void Dice::note(const Message& message) {
  if (message.kind != Kind::publish) return;
  const auto numbers = numbersIn(message.text());
  if (numbers.empty() || numbers[0] < 1) return;
  // The first word about a turn counts.
  ended_.emplace(static_cast<std::size_t>(numbers[0] - 1), numbers.size() >= 3 ? numbers[2] : 0);
}

int Dice::awaitTurn() {
  bool skipped = false;
  for (const auto end = patienceEnd(); std::chrono::steady_clock::now() < end;) {
    const auto ended = ended_.find(turn_);
    if (ended != ended_.end()) return ended->second;
    const auto message = com().receive(kLook);
    if (message) {
      note(*message);
      continue;
    }
    if (message.status() != Status::timeout) member_.handle("receive", message.outcome());
    if (com().viewNumber() != view_.number) refreshView();
    const std::size_t place = turn_ % players_.size();
    if (skipped || lives(players_[place]) || livingFrom(place) != self_) continue;
    member_.handle("publish", com().publish(say(kNobody, {{"turn", turn_ + 1}})));
    skipped = true;
  }
  throw Ended{Ended::Why::unmet};
}

bool Dice::announce(Member winner, int total) {
  refreshView();
  const MemberId id = view_.idOf(winner);
  if (id == kUnknownId) return false;
  const auto result = com().broadcastSync(say(kWon, {{"total", total}}), id);
  member_.handle("broadcastSync", result.outcome());
  // To the winner, peerFailed says only that somebody else departed.
  if (!result.ok() && winner != self_) return false;
  return meetPlayers(winner);
}

bool Dice::meetPlayers(Member winner) {
  for (const auto end = patienceEnd(); std::chrono::steady_clock::now() < end;) {
    refreshView();
    if (!lives(winner)) return false;
    const Outcome outcome = com().synchronize(livingPlayers(), kMeetSlice);
    if (outcome.ok()) return true;
    member_.check(outcome);  // the trace has shown it: [SYNC]
  }
  throw Ended{Ended::Why::unmet};
}

void Dice::watch() {
  member_.trace().remark(kWatch);
  refreshView();
  // Until a win is announced, or all who were here before us have left. Others who watch must not be waited for.
  const std::vector<ViewMember> before(view_.members.begin(), view_.members.begin() + view_.idOf(self_));
  const auto anyLeft = [&] {
    return std::any_of(before.begin(), before.end(), [&](const ViewMember& one) { return lives(one.member); });
  };
  for (bool over = false; !over && anyLeft(); refreshView()) {
    over = member_.takeMail(milliseconds(100), [](const Message& message) {
      return message.kind == Kind::broadcastSync && !numbersIn(message.text()).empty();
    });
  }
  member_.handle("stop", com().stop());
}

}  // namespace

int runDice(const ScenarioSettings& settings) {
  Interruption interruption;
  Dice dice(settings, interruption);
  try {
    dice.run();
  } catch (const Ended& ended) {
    if (ended.why == Ended::Why::corrupt || ended.why == Ended::Why::unmet) return 1;
    if (ended.why == Ended::Why::evicted) dice.leave();
  }
  return interruption.exitCode();
}

}  // namespace ronde::tool
