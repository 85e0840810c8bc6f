#include "tests/crash/scenario.hpp"

#include <sched.h>

#include <stdexcept>

namespace ronde::crash {

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
