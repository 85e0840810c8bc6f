#include "tests/crash/soak/received.hpp"

#include <cstring>

#include "tests/crash/pattern.hpp"

namespace ronde::crash {
namespace {

std::string text(const Message& message) {
  return std::string(toString(message.kind)) + " of '" + std::string(message.name.view()) + "' in slot " +
         std::to_string(message.member.slot) + "." + std::to_string(message.member.incarnation);
}

Stamp stampOf(const Message& message) {
  Stamp stamp{};
  std::memcpy(&stamp, message.bytes().data(), sizeof(stamp));
  return stamp;
}

}  // namespace

std::string Received::checkContent(const Message& message) {
  const auto bytes = message.bytes();
  const bool isWhole = bytes.size() > sizeof(Stamp) && bytes.size() == message.size &&
                       isPattern(bytes.subspan(sizeof(Stamp)), stampOf(message).tag);
  if (!isWhole) return "torn: " + text(message);
  if (message.clock <= message.stamp) return "clock not above the stamp: " + text(message);
  return {};
}

std::string Received::check(const Message& message) {
  if (std::string wrong = checkContent(message); !wrong.empty()) return wrong;
  Sender& sender = senders_[message.member];
  const Stamp stamp = stampOf(message);
  // One tick per call, so this is FIFO over all kinds.
  if (message.stamp <= sender.stamp || stamp.epoch < sender.epoch) return "not FIFO: " + text(message);
  sender.stamp = message.stamp;
  if (stamp.epoch != sender.epoch) {
    sender.epoch = stamp.epoch;
    sender.directs = 0;
    sender.broadcasts.reset();
    sender.publishes.reset();
  }
  const auto isNext = [&](std::uint64_t expected) { return stamp.ordinal == expected; };
  bool fits = true;
  if (message.kind == Kind::sendTo) {
    fits = isNext(sender.directs++);
  } else if (message.kind == Kind::broadcast || message.kind == Kind::publish) {
    auto& next = message.kind == Kind::broadcast ? sender.broadcasts : sender.publishes;
    fits = isNext(next.value_or(stamp.ordinal));
    next = stamp.ordinal + 1;
    sender.last = {message.member, message.stamp, message.view};
  }
  if (fits) return {};
  return "something before it was lost though reported ok: number " + std::to_string(stamp.ordinal) + ", " +
         text(message);
}

void Received::reportDeparted(const View& view, Report& report) {
  for (auto it = senders_.begin(); it != senders_.end();) {
    if (view.idOf(it->first) != kUnknownId) {
      ++it;
      continue;
    }
    if (it->second.last.stamp != 0 && report.count < report.last.size()) {
      report.last[report.count++] = it->second.last;
    }
    it = senders_.erase(it);
  }
}

}  // namespace ronde::crash
