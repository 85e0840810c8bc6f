#include "tests/corruption/trial.hpp"

#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <cerrno>
#include <cstring>
#include <thread>

#include "ipc/segment/shm_file.hpp"
#include "tests/corruption/player.hpp"

namespace ronde::corruption {
namespace {

using namespace std::chrono_literals;

/// How often each block of an outbox and each cell of a mailbox has been in use before the damage.
constexpr int kWear = 70;

/// One trial's threads: a and b play, the caller is the third.
class Trial {
 public:
  Trial(const std::string& group, Findings& findings) : group_(group), findings_(findings) {}

  template <class Damage>
  void run(Damage damage) {
    std::thread first([&] {
      Player a(smallGroup(group_, "a", 2), findings_);
      if (a.joined()) {
        a_ = a.com().id();
        b_ = 1 - a_;
      }
      settled_.arrive_and_wait();
      wearA(a);
      ready_.arrive_and_wait();
      damaged_.arrive_and_wait();
      playA(a);
      newcomer_.arrive_and_wait();
      a.receive(published);
      a.drain();
      a.section();
      a.stop();
    });
    std::thread second([&] {
      Player b(smallGroup(group_, "b", 2), findings_);
      settled_.arrive_and_wait();
      wearB(b);
      ready_.arrive_and_wait();
      damaged_.arrive_and_wait();
      playB(b);
      newcomer_.arrive_and_wait();
      b.receive(published);
      b.drain();
      b.section();
      b.stop();
    });
    settled_.arrive_and_wait();
    ready_.arrive_and_wait();
    damage(path());
    damaged_.arrive_and_wait();
    {
      Options options = smallGroup(group_, "d", 2);
      newcomer_.arrive_and_wait();
      Player d(options, findings_);
      d.publish(published);
      d.receive(published);
      d.section();
      d.look();
      d.stop();
    }
    first.join();
    second.join();
  }

  [[nodiscard]] std::string path() const { return detail::segmentPath(detail::segmentName(group_)); }

 private:
  void wearA(Player& a) {
    {
      Player gone(smallGroup(group_, "c", 2), findings_);
      gone.stop();
    }
    for (int i = 0; i < kWear; ++i) {
      a.publish(tiny);
      a.receive(tiny);
      if (i % 16 == 15) together_.arrive_and_wait();  // b keeps up
    }
    a.section();
    if (!a.joined()) return;
    static_cast<void>(a.com().synchronize(2, 1ms));  // a failed round
    static_cast<void>(a.com().view());
    for (const Text one : {tiny, small, train}) a.send(one, b_);
    a.broadcast(shared);
    a.publish(published);
  }
  void wearB(Player& b) {
    for (int i = 0; i < kWear; ++i) {
      // Sixteen at a time: a sleep and a wake for each message would cost more than the rest of the trial.
      if (i % 16 == 0 && i + 16 <= kWear) together_.arrive_and_wait();
      b.receive(tiny);
    }
    if (!b.joined()) return;
    static_cast<void>(b.com().view());
    b.send(tiny, a_);
    b.send(own, b_);
  }

  void playA(Player& a) {
    a.view(2);
    int came = a.drain();
    a.send(tiny, b_);
    a.send(train, b_);
    a.send(small, b_);
    a.broadcast(shared);
    a.publish(published);
    a.meetTwo();
    came += a.drain();
    together_.arrive_and_wait();  // what comes next is not drained
    a.expect(4, came);
    a.section();
    a.sendSync(sync, b_);
    a.receiveSync(sync, b_);
    a.collective(Text::collective, a_);
    a.meetAll();
    a.cell();
    a.look();
  }
  void playB(Player& b) {
    b.view(2);
    int came = b.drain();
    b.send(tiny, a_);
    b.send(own, b_);
    b.meetTwo();
    came += b.drain();
    together_.arrive_and_wait();
    b.expect(12, came);
    b.section();
    b.receiveSync(sync, a_);
    b.sendSync(sync, a_);
    b.collective(Text::collective, a_);
    b.meetAll();
    b.cell();
  }

  std::string group_;
  Findings& findings_;
  MemberId a_ = 0;  ///< by arrival
  MemberId b_ = 1;
  std::barrier<> settled_{3};
  std::barrier<> together_{2};
  std::barrier<> ready_{3};
  std::barrier<> damaged_{3};
  std::barrier<> newcomer_{3};
};

}  // namespace

Options smallGroup(const std::string& group, const std::string& name, int expected) {
  Options options;
  options.group = group;
  options.name = name;
  options.expected = expected;
  options.capacity = 4;
  options.mailboxMessages = 64;
  options.mailboxBytes = 64 * 1024;
  options.maxMessage = 64 * 1024;
  options.heartbeatInterval = 20ms;
  options.heartbeatTimeout = 200ms;
  options.registrationTimeout = 500ms;
  options.timeout = 500ms;
  return options;
}

detail::Geometry geometryOfSmallGroup() {
  const Options options = smallGroup("g", "n", 2);
  detail::Geometry geometry;
  geometry.capacity = static_cast<std::uint32_t>(options.capacity);
  geometry.expected = static_cast<std::uint32_t>(options.expected);
  geometry.mailboxMessages = static_cast<std::uint32_t>(options.mailboxMessages);
  geometry.mailboxBytes = options.mailboxBytes;
  geometry.maxMessage = options.maxMessage;
  geometry.outboxBytes = 64 * 1024;
  return geometry;
}

namespace {

/// P7: whatever is left does not keep the next group from being founded. Every call of the heir must be ok.
Verdict foundAgain(const std::string& group, Board& board) {
  Findings findings(board, "the heir's ");
  Player heir(smallGroup(group, "heir", 1), findings);
  heir.publish(fresh);
  heir.receive(fresh);
  heir.stop();
  return findings.verdict();
}

}  // namespace

Verdict runTrial(const std::string& group, const Damage& damage, const ControlData& data, Board& board) {
  constexpr int kTries = 20;
  for (int tries = 0;; ++tries) {
    Findings findings(board);
    board.said[0] = board.where[0] = '\0';
    Trial trial(group, findings);
    bool spoiled = false;
    trial.run([&](const std::string& path) {
      // On a loaded machine a member can be late, or be taken for silent, before anything was done to it.
      spoiled = !findings.isAsUsual();
      if (spoiled && tries < kTries) return;
      const Scribble segment(path);
      std::string where;
      board.mutations += apply(damage, segment, data, where);
      std::strncpy(board.where, where.c_str(), sizeof(board.where) - 1);
      if (damage.mode == Mode::live) board.isArmed = 1;
    });
    board.isArmed = 0;
    if (spoiled && tries < kTries) {
      ++board.repeated;
      unlink(trial.path().c_str());
      continue;
    }
    // Where nothing is left under the name, the heir would found a group as the first one did.
    const bool isGone = access(trial.path().c_str(), F_OK) != 0 && errno == ENOENT;
    const Verdict heirs = isGone ? Verdict::harmless : foundAgain(group, board);
    unlink(trial.path().c_str());
    if (heirs != Verdict::harmless) ++board.notFoundedAgain;
    return std::max(findings.verdict(),
                    heirs == Verdict::crash || heirs == Verdict::hang ? heirs : Verdict::harmless);
  }
}

}  // namespace ronde::corruption
