#pragma once

#include <mutex>
#include <optional>
#include <ronde/fenced_cell.hpp>
#include <ronde/inspect.hpp>
#include <ronde/ronde.hpp>
#include <string>

#include "tests/corruption/board.hpp"

namespace ronde::corruption {

/// What the calls of one trial gave. Thread-safe.
class Findings {
 public:
  /// `who` begins each text that is reported.
  explicit Findings(Board& board, std::string who = {}) : board_(board), who_(std::move(who)) {}

  /// `status` of a call whose usual end is `usual`.
  void status(const char* call, Status status, Status usual);
  void refused(const char* call, const Error& error);
  void altered(const char* call, const std::string& what);
  void broken(const char* call, const std::string& what);
  void took(const char* call, std::chrono::nanoseconds time, std::chrono::nanoseconds limit);
  [[nodiscard]] Verdict verdict() const;
  [[nodiscard]] bool isAsUsual() const;

 private:
  /// The first finding is kept for the report, unless a crash or a hang follows: then the first of those.
  void say(const char* call, const std::string& what, bool isGrave = false);

  Board& board_;
  std::string who_;
  mutable std::mutex mutex_;
  bool detected_ = false;
  bool altered_ = false;
  bool lost_ = false;
  bool crashed_ = false;
  bool hung_ = false;
  bool said_ = false;
  bool saidGrave_ = false;
};

/// Message number `k` of a trial: some are inlined, some lie in the area, some travel as a train or a reference.
enum Text : unsigned { tiny, small, train, shared, published, own, sync, collective, fresh, kTexts };
[[nodiscard]] const std::string& text(unsigned number);

/// A member of the trial's group: every call is timed and judged.
class Player {
 public:
  Player(const Options& options, Findings& findings);
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;
  ~Player();

  [[nodiscard]] bool joined() const { return com_.has_value(); }
  [[nodiscard]] Communicator& com() { return *com_; }

  void view(int size);
  void send(Text what, MemberId to);
  void broadcast(Text what);
  void publish(Text what);
  void receive(Text what);
  /// Takes whatever is there. Returns how many messages.
  int drain();
  /// That many messages have come, or fewer, which is a loss.
  void expect(int count, int came);
  void meetAll();
  void meetTwo();
  void section();
  void sendSync(Text what, MemberId to);
  void receiveSync(Text what, MemberId from);
  void collective(Text what, MemberId from);
  void cell();
  void look();
  void stop();

 private:
  template <class Call>
  void judged(const char* name, Status usual, Call call);
  void check(const char* name, const Message& message, Text what);
  [[nodiscard]] std::chrono::milliseconds limit() const;

  Findings& findings_;
  std::string name_;
  std::string group_;
  std::optional<Communicator> com_;
};

}  // namespace ronde::corruption
