#pragma once

#include <functional>
#include <optional>
#include <ronde/ronde.hpp>
#include <string>
#include <vector>

#include "tests/crash/board.hpp"
#include "tests/crash/look.hpp"
#include "tests/crash/pattern.hpp"

namespace ronde::crash {

enum class Mode { kill, stop, twice };

/// Tag of what the victim sends in the operation under test.
inline constexpr std::uint32_t kVictimTag = 0x71c71c;
inline constexpr std::size_t kSmall = 64;
inline constexpr std::size_t kByReference = 6 * 1024;
inline constexpr std::size_t kTrain = 40 * 1024;

/// One member of a point's group. Names: "v" dies (or is stopped) in the operation, "a" and "b" survive, "w", if
/// there is one, dies while it repairs what "v" left.
struct Actor {
  Communicator& me;
  Board& board;
  const std::string& group;
  View view = me.view();  ///< the first one
  /// The operation's message, made before it begins.
  std::vector<std::byte> payload{};
  std::optional<Section> section{};
  int victimMessages = 0;  ///< of a survivor: messages of the victim that it took

  [[nodiscard]] MemberId idOf(const char* name) const { return view.idOf(name); }
  [[nodiscard]] bool isA() const { return me.name() == "a"; }
  /// Enters the critical section.
  Status enter();
  /// Looks into the segment until `ready`. @throws std::runtime_error after kPatience.
  void lookUntil(const std::function<bool(const Look&)>& ready) const;
  /// Counts `result` if it is the victim's message. @throws std::runtime_error if that is torn.
  Status tally(const Result<Message>& result);
};

/// How the victim comes into the group.
enum class Entry {
  member,  ///< of the founding cohort; its operation comes later
  alone,   ///< its operation is the constructor: where nothing exists
  third,   ///< … as the last of the founding cohort
  late,    ///< … in a group that exists
};

/// Who gets the victim's message: at most once, and exactly once if its call returned ok.
enum class Mail {
  none,
  toA,
  all,  ///< and both survivors or none
};

/// What an operation says about the survivors' parts in it (`peer`).
enum class Peers {
  free,        ///< nothing
  okIfVictim,  ///< ok if the victim's call was ok
  alike,       ///< that, and both end in the same way
  ok,          ///< ok in any case
};

/// One operation and the part that the others have in it.
struct Scenario {
  const char* name;
  const char* text;
  Entry entry = Entry::member;
  /// What is stepped through. Empty: the constructor, or with `repair` nothing.
  std::function<Status(Actor& v)> act{};
  /// Length of Actor::payload, whoever sends it.
  std::size_t size = kSmall;
  /// Before the first instruction that counts.
  std::function<void(Actor& v)> prepare{};
  std::function<void(Actor& survivor)> prepareCrew{};
  /// The survivors' part: when the victim blocks or is gone, or at once if `peersFirst`.
  std::function<Status(Actor& survivor)> peer{};
  bool peersFirst = false;
  Peers peers = Peers::free;
  Mail mail = Mail::none;
  /// Stepped through is not "v" but the service thread of "w", while it repairs what the death of "v" left.
  bool repair = false;
  /// With `repair`: "v" dies in its operation as soon as this holds; empty: before it.
  std::function<bool(const Look&)> diesWhen{};
};

[[nodiscard]] const std::vector<Scenario>& scenarios();

}  // namespace ronde::crash
