#include "tests/corruption/player.hpp"

#include <algorithm>
#include <cstring>

#include "tests/support/random.hpp"

namespace ronde::corruption {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__)
constexpr int kSlowness = 3;
#else
constexpr int kSlowness = 1;
#endif

constexpr auto kPatient = 200ms * kSlowness;
constexpr auto kImpatient = 10ms;  // once something is wrong, more may be
/// A call this far beyond its deadline counts as hanging. (The machine is shared with other tests.)
constexpr auto kLate = 2s * kSlowness;

void copyText(char (&to)[512], const std::string& text) {
  const std::size_t size = std::min(text.size(), sizeof(to) - 1);
  std::memcpy(to, text.data(), size);
  to[size] = '\0';
}

bool isKnown(std::string_view payload) {
  for (unsigned number = 0; number < kTexts; ++number) {
    if (payload == text(number)) return true;
  }
  return false;
}

}  // namespace

void Findings::say(const char* call, const std::string& what, bool isGrave) {
  if (isGrave ? std::exchange(saidGrave_, true) : said_ || saidGrave_) return;
  said_ = true;
  copyText(board_.said, who_ + call + ": " + what);
}

void Findings::status(const char* call, Status status, Status usual) {
  if (status == usual) return;
  const std::lock_guard guard(mutex_);
  if (status > Status::segmentCorrupt) {
    crashed_ = true;
    say(call, "status " + std::to_string(static_cast<int>(status)), true);
  } else {
    (status == Status::mailboxCorrupt || status == Status::segmentCorrupt ? detected_ : lost_) = true;
    say(call, std::string(toString(status)));
  }
}

void Findings::refused(const char* call, const Error& error) {
  const std::lock_guard guard(mutex_);
  detected_ = true;
  say(call, error.what());
}

void Findings::altered(const char* call, const std::string& what) {
  const std::lock_guard guard(mutex_);
  altered_ = true;
  say(call, what);
}

void Findings::broken(const char* call, const std::string& what) {
  const std::lock_guard guard(mutex_);
  crashed_ = true;
  say(call, what, true);
}

void Findings::took(const char* call, std::chrono::nanoseconds time, std::chrono::nanoseconds limit) {
  const auto over = std::chrono::duration_cast<std::chrono::milliseconds>(time - limit).count();
  if (over <= 0) return;
  const std::lock_guard guard(mutex_);
  board_.longestOverrunMs = std::max(board_.longestOverrunMs.load(), static_cast<std::uint64_t>(over));
  if (time - limit <= kLate) return;
  hung_ = true;
  say(call, std::to_string(over) + " ms beyond its deadline", true);
}

Verdict Findings::verdict() const {
  const std::lock_guard guard(mutex_);
  if (crashed_) return Verdict::crash;
  if (hung_) return Verdict::hang;
  if (detected_) return Verdict::detected;
  if (lost_) return Verdict::lost;
  return altered_ ? Verdict::altered : Verdict::harmless;
}

bool Findings::isAsUsual() const { return verdict() == Verdict::harmless; }

const std::string& text(unsigned number) {
  static const std::vector<std::string> texts = [] {
    const std::size_t sizes[kTexts] = {8, 1000, 40'000, 8'000, 100, 20'000, 300, 6'000, 12};
    std::vector<std::string> all;
    for (unsigned i = 0; i < kTexts; ++i) all.push_back(testing::patternText(sizes[i], i + 1));
    return all;
  }();
  return texts[number];
}

Player::Player(const Options& options, Findings& findings)
    : findings_(findings), name_(options.name), group_(options.group) {
  Options own = options;
  // An observer, because whoever reports looks at more of the segment.
  own.observer = [](const Event& event) {
    static_cast<void>(event.name.view().size() + event.peerName.view().size());
  };
  const auto start = Clock::now();
  try {
    com_.emplace(own);
  } catch (const Error& error) {
    findings_.refused("joining", error);
  } catch (const std::exception& failure) {
    findings_.broken("joining", failure.what());
  }
  findings_.took("joining", Clock::now() - start, options.registrationTimeout);
}

Player::~Player() {
  const auto start = Clock::now();
  com_.reset();
  findings_.took("leaving", Clock::now() - start, 5s);
}

std::chrono::milliseconds Player::limit() const { return findings_.isAsUsual() ? kPatient : kImpatient; }

template <class Call>
void Player::judged(const char* name, Status usual, Call call) {
  if (!com_) return;
  const auto limit = this->limit();
  const auto start = Clock::now();
  try {
    findings_.status(name, call(limit), usual);
  } catch (const Error& error) {
    findings_.refused(name, error);
  } catch (const std::exception& failure) {
    findings_.broken(name, failure.what());
  }
  findings_.took(name, Clock::now() - start, limit);
}

void Player::check(const char* name, const Message& message, Text what) {
  if (message.text() == text(what)) return;
  if (isKnown(message.text())) return findings_.status(name, Status::empty, Status::ok);  // one was lost
  findings_.altered(name, "a message of " + std::to_string(message.size) + " bytes that nobody sent");
}

void Player::view(int size) {
  judged("view", Status::ok, [&](Timeout) {
    const View view = com_->view();
    std::size_t bytes = 0;
    for (const auto& member : view.members) bytes += member.name.view().size();
    for (const auto& member : view.departed) {
      bytes += member.name.view().size();
      if (toString(member.reason) == "unknown") findings_.broken("view", "a departure without a name");
    }
    if (view.size() != size || bytes == 0) findings_.altered("view", std::to_string(view.size()) + " members");
    return Status::ok;
  });
}

void Player::send(Text what, MemberId to) {
  judged("sendTo", Status::ok, [&](Timeout limit) { return com_->sendTo(text(what), to, limit).status; });
}

void Player::broadcast(Text what) {
  judged("broadcast", Status::ok, [&](Timeout limit) { return com_->broadcast(text(what), limit).status; });
}

void Player::publish(Text what) {
  judged("publish", Status::ok, [&](Timeout limit) { return com_->publish(text(what), limit).status; });
}

void Player::receive(Text what) {
  judged("receive", Status::ok, [&](Timeout limit) {
    const auto message = com_->receive(limit);
    if (message) check("receive", *message, what);
    return message.status();
  });
}

int Player::drain() {
  int count = 0;
  judged("draining", Status::empty, [&](Timeout) {
    for (; count < 1000; ++count) {
      const auto message = com_->tryReceive();
      if (!message) return message.status();
      if (!isKnown(message->text())) findings_.altered("draining", "a message that nobody sent");
    }
    findings_.broken("draining", "an endless mailbox");
    return Status::empty;
  });
  return count;
}

void Player::expect(int count, int came) {
  if (came != count) findings_.status("draining", Status::full, Status::ok);
}

void Player::meetAll() {
  judged("synchronize", Status::ok, [&](Timeout limit) { return com_->synchronize(limit).status; });
}

void Player::meetTwo() {
  judged("synchronize(2)", Status::ok, [&](Timeout limit) { return com_->synchronize(2, limit).status; });
}

void Player::section() {
  judged("requestSC", Status::ok, [&](Timeout limit) {
    auto section = com_->requestSC(limit);
    if (!section) return section.status();
    FencedCell<std::uint64_t> cell(*com_, "cell");
    const Status written = cell.write(7, section->fence());
    const Status released = com_->releaseSC().status;
    return written != Status::ok ? written : released;
  });
}

void Player::sendSync(Text what, MemberId to) {
  judged("sendToSync", Status::ok, [&](Timeout limit) { return com_->sendToSync(text(what), to, limit).status; });
}

void Player::receiveSync(Text what, MemberId from) {
  judged("receiveFromSync", Status::ok, [&](Timeout limit) {
    const auto message = com_->receiveFromSync(from, limit);
    if (message) check("receiveFromSync", *message, what);
    return message.status();
  });
}

void Player::collective(Text what, MemberId from) {
  judged("broadcastSync", Status::ok, [&](Timeout limit) {
    const auto message = com_->broadcastSync(text(what), from, limit);
    if (message.hasValue()) check("broadcastSync", *message, what);
    return message.status();
  });
}

void Player::cell() {
  judged("cell", Status::ok, [&](Timeout) {
    const FencedCell<std::uint64_t> cell(*com_, "cell");
    const auto value = cell.read();
    if (value && value->value != 7) findings_.altered("cell", "another value");
    return value.status();
  });
}

void Player::look() {
  judged("inspecting", Status::ok, [&](Timeout) {
    static_cast<void>(com_->stats());
    const auto inspector = GroupInspector::open(group_);
    if (!inspector) return Status::empty;
    std::size_t bytes = inspector->view().members.size();
    for (const SlotReport& slot : inspector->slots()) {
      bytes += slot.name.view().size();
      if (toString(slot.state) == "unknown") findings_.broken("inspecting", "a state without a name");
    }
    if (bytes == 0) findings_.altered("inspecting", "nothing to be seen");
    return Status::ok;
  });
}

void Player::stop() {
  judged("stop", Status::ok, [&](Timeout limit) { return com_->stop(limit).status; });
}

}  // namespace ronde::corruption
