#include "tests/crash/scenario.hpp"

#include <sched.h>

#include <stdexcept>

namespace ronde::crash {

std::vector<std::byte> pattern(std::uint32_t tag, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((tag * 31 + i) * 2654435761U >> 24);
  return bytes;
}

bool isPattern(std::span<const std::byte> bytes, std::uint32_t tag) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != static_cast<std::byte>((tag * 31 + i) * 2654435761U >> 24)) return false;
  }
  return !bytes.empty();
}

Status Actor::enter() {
  auto granted = me.requestSC();
  if (!granted) return granted.status();
  section = std::move(*granted);
  board.fence = section->fence();
  return Status::ok;
}

void Actor::lookUntil(const std::function<bool(const Look&)>& ready) const {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  const auto look = Look::at(group);
  while (!look || !ready(*look)) {
    if (!look || std::chrono::steady_clock::now() > until) {
      throw std::runtime_error(me.name() + " looked into the segment in vain");
    }
    sched_yield();
  }
}

Status Actor::tally(const Result<Message>& result) {
  if (!result) return result.status();
  if (result->name.view() != "v") throw std::runtime_error(me.name() + " got a message of nobody's");
  if (!isPattern(result->bytes(), kVictimTag)) throw std::runtime_error(me.name() + " got a torn message");
  ++victimMessages;
  return Status::ok;
}

}  // namespace ronde::crash
