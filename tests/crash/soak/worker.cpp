#include "tests/crash/soak/worker.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <ronde/ronde.hpp>
#include <thread>
#include <utility>

#include "tests/crash/cores.hpp"
#include "tests/crash/pattern.hpp"
#include "tests/crash/soak/received.hpp"

namespace ronde::crash {
namespace {

using namespace std::chrono_literals;

/// All come to a collective call at about the same time: the clock is the same for all.
constexpr auto kMeetEvery = 10ms;
constexpr auto kMeetFor = 5ms;
constexpr std::uint64_t kStreamMessages = 200'000;

/// Binds the calling thread to the nth of its cores, if it has so many, until the end of the scope: between
/// threads that lie anywhere the rate of one fresh group was 0.64 to 1.26 of another's.
class OnCore {
 public:
  explicit OnCore(int n) : before_(permittedCores()) {
    const auto core = static_cast<std::size_t>(n);
    if (core < before_.size()) pinTo({before_[core]});
  }
  OnCore(const OnCore&) = delete;
  OnCore& operator=(const OnCore&) = delete;
  ~OnCore() {
    if (!before_.empty()) pinTo(before_);
  }

 private:
  const std::vector<int> before_;
};

class Worker {
 public:
  Worker(int number, std::uint64_t seed, const Options& options, Ledger& ledger)
      : number_(number), random_(seed), ledger_(ledger), me_(options) {
    openCell();
    beginMembership();
  }

  void run() {
    while (!ledger_.isViolated) {
      const Phase phase = ledger_.phase;
      if (phase == Phase::end) break;
      if (phase == Phase::work) {
        operate();
      } else {
        attend(phase);
      }
      ledger_.reached[static_cast<std::size_t>(number_)] = phase;
    }
    static_cast<void>(me_.stop());
  }

 private:
  [[nodiscard]] bool chance(int oneIn) { return random_() % static_cast<std::uint64_t>(oneIn) == 0; }
  void violate(const std::string& text) { ledger_.violate(me_.name() + ": " + text); }

  void beginMembership() {
    received_ = {};
    epoch_ = 0;
    directs_.clear();
    broadcasts_ = 0;
    publishes_ = 0;
    lastFence_ = 0;
    adopt(me_.view());
    joinedView_ = view_.number;
    ledger_.reports[static_cast<std::size_t>(number_)].joinedView = joinedView_;
  }

  void joinAgain() {
    cell_.reset();
    me_.rejoin();
    openCell();
    beginMembership();
  }

  /// A member that is evicted before it could open the cell joins again.
  void openCell() {
    while (!cell_) {
      try {
        cell_.emplace(me_, "soak");
      } catch (const Error&) {
        if (me_.tryReceive().status() != Status::evicted) throw;
        ledger_.evictions.fetch_add(1);
        me_.rejoin();
      }
    }
  }

  void adopt(View view) {
    if (!ledger_.agrees(view)) violate("another view under number " + std::to_string(view.number));
    view_ = std::move(view);
  }

  /// Sees to what every status asks for. True: ok.
  bool ended(Status status) {
    ledger_.operations.fetch_add(1, std::memory_order_relaxed);
    switch (status) {
      case Status::ok: return true;
      case Status::evicted:
        ledger_.evictions.fetch_add(1);
        joinAgain();
        return false;
      case Status::timeout:
      case Status::full:
      case Status::peerFailed:
      case Status::staleView:
      case Status::empty:
      case Status::mismatch: ledger_.refusals.fetch_add(1, std::memory_order_relaxed); return false;
      default: violate("a call ended with " + std::string(toString(status))); return false;
    }
  }

  /// Payloads from 32 bytes to 40 KiB, most of them small: in the record, by cell, by reference, as a train.
  std::vector<std::byte> payload(std::uint64_t ordinal) {
    static constexpr std::array<std::size_t, 8> kSizes{32, 40, 64, 64, 200, 900, 6 * 1024, 40 * 1024};
    return payload(ordinal, kSizes[random_() % kSizes.size()]);
  }
  std::vector<std::byte> payload(std::uint64_t ordinal, std::size_t size) {
    const Stamp stamp{static_cast<std::uint32_t>(random_()), epoch_, ordinal};
    std::vector<std::byte> bytes(sizeof(stamp));
    std::memcpy(bytes.data(), &stamp, sizeof(stamp));
    const auto rest = pattern(stamp.tag, size - sizeof(stamp));
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
  }

  /// Nobody knows who got the last one: count anew.
  void beginEpoch() {
    ++epoch_;
    directs_.clear();
    broadcasts_ = 0;
    publishes_ = 0;
  }

  void operate() {
    if (me_.viewNumber() != view_.number) adopt(me_.view());
    takeMail();
    const MemberId other = static_cast<MemberId>(random_() % static_cast<std::uint64_t>(view_.size()));
    const std::int64_t meeting = std::chrono::steady_clock::now().time_since_epoch() / kMeetEvery;
    if (std::exchange(lastMeeting_, meeting) != meeting) return meet(meeting);
    switch (random_() % 8) {
      case 0:
      case 1:
      case 2: sendTo(other); break;
      case 3: broadcast(true); break;
      case 4: broadcast(false); break;
      case 5: section(); break;
      case 6:
        if (other != me_.id() && chance(4)) ended(me_.sendToSync(payload(0), other, kMeetFor).status);
        break;
      default:
        if (number_ >= kAnchors && chance(500)) leaveAndReturn();
    }
  }

  /// The collective calls in turn, now and then with other ideas about them than the others have.
  void meet(std::int64_t meeting) {
    const auto size = static_cast<std::int64_t>(view_.size());
    const auto from = static_cast<MemberId>(chance(50) ? 0 : meeting / 3 % size);
    switch (meeting % 3) {
      case 0: met(me_.synchronize(chance(50) ? 2 : view_.size(), kMeetFor).status); break;
      case 1: broadcastSync(from); break;
      default:
        if (from == me_.id()) {
          met(me_.sendToSync(payload(0), static_cast<MemberId>((from + 1) % size), kMeetFor).status);
        } else if ((from + 1) % size == me_.id()) {
          takeSync(from);
        }
    }
  }
  void met(Status status) {
    if (ended(status)) ledger_.meetings.fetch_add(1, std::memory_order_relaxed);
  }

  void takeMail() {
    for (int i = 0; i < 64; ++i) {
      const auto message = me_.tryReceive();
      if (message.status() == Status::empty) return;
      if (!ended(message.status())) return;
      ledger_.delivered.fetch_add(1, std::memory_order_relaxed);
      if (const std::string wrong = received_.check(*message); !wrong.empty()) violate(wrong);
    }
  }

  void sendTo(MemberId to, std::optional<std::size_t> size = {}) {
    const Member member = view_.members[static_cast<std::size_t>(to)].member;
    const std::uint64_t ordinal = directs_[member];
    const Status status = me_.sendTo(size ? payload(ordinal, *size) : payload(ordinal), member).status;
    if (ended(status)) {
      ++directs_[member];
    } else if (status != Status::evicted) {
      beginEpoch();
    }
  }

  void broadcast(bool alsoToMe) {
    std::uint64_t& ordinal = alsoToMe ? publishes_ : broadcasts_;
    const auto bytes = payload(ordinal);
    const Status status = (alsoToMe ? me_.publish(bytes) : me_.broadcast(bytes)).status;
    if (status == Status::full) violate("a broadcast found a mailbox full");
    if (ended(status)) {
      ++ordinal;
    } else if (status != Status::evicted) {
      beginEpoch();
    }
  }

  void takeSync(MemberId from) {
    const auto message = me_.receiveFromSync(from, kMeetFor);
    met(message.status());
    if (!message) return;
    if (const std::string wrong = Received::checkContent(*message); !wrong.empty()) violate(wrong);
  }

  void broadcastSync(MemberId from) {
    const auto message = me_.broadcastSync(payload(0), from, kMeetFor);
    met(message.status());
    if (!message || !message.hasValue()) return;
    if (const std::string wrong = Received::checkContent(*message); !wrong.empty()) violate(wrong);
  }

  void section() {
    auto held = me_.requestSC(2s);
    if (!ended(held.status())) return;
    const std::uint64_t fence = held->fence();
    if (!ledger_.grants(fence)) violate("fence " + std::to_string(fence) + " was granted twice");
    if (fence <= lastFence_) violate("fence " + std::to_string(fence) + " is not above our last one");
    lastFence_ = fence;
    const Status written = cell_->write(fence, fence);
    // Whoever was stopped in here finds a later holder's value.
    if (written != Status::ok && written != Status::staleFence && written != Status::evicted) {
      violate("FencedCell: " + std::string(toString(written)));
    }
    const auto read = cell_->read();
    if (read.ok() && (read->value != read->fence || (written == Status::ok && read->fence < fence))) {
      violate("FencedCell: value " + std::to_string(read->value) + " under fence " + std::to_string(read->fence));
    }
    ledger_.sections.fetch_add(1, std::memory_order_relaxed);
    ended(me_.releaseSC().status);
  }

  void leaveAndReturn() {
    ended(me_.stop().status);
    joinAgain();
  }

  /// A phase of a checkpoint; the director goes on when all have reached it.
  void attend(Phase phase) {
    const bool isNew = ledger_.reached[static_cast<std::size_t>(number_)] != phase;
    if (me_.viewNumber() != view_.number) adopt(me_.view());
    if (phase == Phase::touch && isNew && number_ == 0) {
      touch();
    } else if (phase == Phase::stream && isNew && number_ < kAnchors) {
      stream();
    } else {
      takeMail();
    }
    if (phase == Phase::report && isNew) {
      Report& report = ledger_.reports[static_cast<std::size_t>(number_)];
      report.count = 0;
      takeMail();
      received_.reportDeparted(view_, report);
      report.joinedView = joinedView_;
      report.view = view_.number;
    }
    std::this_thread::sleep_for(1ms);
  }

  void touch() {
    for (int to = 0; to < view_.size(); ++to) sendTo(to, 64);
    section();
  }

  void stream() {
    const MemberId peer = view_.idOf(number_ == 0 ? "soak1" : "soak0");
    if (peer == kUnknownId) return;
    const OnCore own(number_);
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i < kStreamMessages; ++i) {
      if (number_ == 0) {
        sendTo(peer, 64);
      } else {
        const auto message = me_.receive();
        if (!ended(message.status())) return;
        if (const std::string wrong = received_.check(*message); !wrong.empty()) violate(wrong);
      }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (number_ == 1) ledger_.streamRate = static_cast<double>(kStreamMessages) / took.count();
  }

  const int number_;
  std::mt19937_64 random_;
  Ledger& ledger_;
  Communicator me_;
  std::optional<FencedCell<std::uint64_t>> cell_;
  View view_;
  std::uint64_t joinedView_ = 0;
  Received received_;
  std::int64_t lastMeeting_ = 0;
  std::uint32_t epoch_ = 0;
  std::map<Member, std::uint64_t> directs_;
  std::uint64_t broadcasts_ = 0;
  std::uint64_t publishes_ = 0;
  std::uint64_t lastFence_ = 0;
};

}  // namespace

void runWorker(int number, std::uint64_t seed, const Options& options, Ledger& ledger) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Options own = options;
  own.name = "soak" + std::to_string(number);
  try {
    Worker(number, seed, own, ledger).run();
  } catch (const std::exception& error) {
    ledger.violate(own.name + " threw: " + error.what());
  }
  _exit(0);
}

}  // namespace ronde::crash
