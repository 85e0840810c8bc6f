#include "tests/crash/look.hpp"

#include "ipc/mailbox/outbox.hpp"
#include "ipc/membership/views.hpp"

namespace ronde::crash {

using detail::BlockPhase;
using detail::Phase;
using detail::SlotLock;
using detail::SlotWord;

namespace {

SlotWord wordOf(const detail::Segment& segment, std::uint32_t slot) {
  return SlotWord::unpack(segment.slot(slot).word.load());
}

std::uint32_t wordOf(const SlotLock& lock) { return reinterpret_cast<const detail::Word&>(lock).load(); }
bool isHeld(const SlotLock& lock) { return wordOf(lock) != 0; }

}  // namespace

std::optional<Look> Look::at(const std::string& group) {
  auto segment = detail::Segment::openForReading(group);
  if (!segment) return std::nullopt;
  return Look(std::move(segment));
}

bool Look::isSettled() const {
  const std::uint64_t number = segment_->control().viewNumber.load();
  const auto view = detail::Views(*segment_).current();
  if (!view || segment_->control().cleanedView.load() != number) return false;
  for (std::uint32_t slot = 0; slot < segment_->geometry().capacity; ++slot) {
    const SlotWord word = wordOf(*segment_, slot);
    if (view->contains({slot, word.incarnation}) != (word.phase == Phase::active)) return false;
    if (word.phase != Phase::departed) continue;
    bool adopted = false;
    detail::forEachBlock(*segment_, slot, [&](const detail::Block& block) {
      adopted = adopted || block.phase() == BlockPhase::adopted;
    });
    if (adopted) return false;
  }
  return true;
}

std::string Look::heldLock() const {
  std::string held;
  const auto visit = [&](const std::string& name, const SlotLock& lock) {
    if (!isHeld(lock)) return;
    std::string holder = "nobody who is there: " + std::to_string(wordOf(lock));
    for (std::uint32_t slot = 0; slot < segment_->geometry().capacity; ++slot) {
      const SlotWord owner = wordOf(*segment_, slot);
      if (!lock.isHeldBy({slot, owner.incarnation})) continue;
      holder = "slot " + std::to_string(slot) + ", incarnation " + std::to_string(owner.incarnation) + ", phase " +
               std::to_string(static_cast<int>(owner.phase)) +
               (segment_->isSlotClaimed(slot) ? ", which lives" : ", which is gone");
    }
    held += (held.empty() ? "" : "; ") + name + ", by " + holder;
  };
  const detail::ControlState& control = segment_->control();
  visit("registry", control.registryLock);
  visit("clean-up", control.cleanupLock);
  visit("barrier", control.barrier.lock);
  for (int cell = 0; cell < detail::kCells; ++cell) {
    visit("cell " + std::to_string(cell), segment_->cell(cell).lock);
  }
  for (std::uint32_t slot = 0; slot < segment_->geometry().capacity; ++slot) {
    // Slots that were never used have no memory.
    if (wordOf(*segment_, slot).phase != Phase::active) continue;
    visit("mailbox " + std::to_string(slot), segment_->mailbox(slot).producers);
  }
  return held;
}

int Look::active() const {
  int count = 0;
  for (std::uint32_t slot = 0; slot < segment_->geometry().capacity; ++slot) {
    count += wordOf(*segment_, slot).phase == Phase::active ? 1 : 0;
  }
  return count;
}

int Look::taken() const {
  int count = 0;
  for (std::uint32_t slot = 0; slot < segment_->geometry().capacity; ++slot) {
    const Phase phase = wordOf(*segment_, slot).phase;
    const bool isLeftByJoiner = phase == Phase::joining && !segment_->isSlotClaimed(slot);
    count += phase == Phase::free || isLeftByJoiner ? 0 : 1;
  }
  return count;
}

std::string Look::departed() const {
  std::string text;
  for (std::uint32_t slot = 0; slot < segment_->geometry().capacity; ++slot) {
    const SlotWord word = wordOf(*segment_, slot);
    if (word.phase != Phase::departed) continue;  // a dead joiner's is free to take
    text += (text.empty() ? "slot " : "; slot ") + std::to_string(slot) + " (" +
            std::string(segment_->slot(slot).name.view()) + ", " + std::string(toString(word.departure)) + "): ";
    if (segment_->isSlotClaimed(slot)) text += "its process lives, ";
    detail::forEachBlock(*segment_, slot, [&](const detail::Block& block) {
      for (std::uint32_t to = 0; to < segment_->geometry().capacity; ++to) {
        const detail::Share share = block.share(to);
        if (share != detail::Share::owed && share != detail::Share::claimed) continue;
        text += "block of view " + std::to_string(block.header().view) + " in phase " +
                std::to_string(static_cast<int>(block.phase())) + " is " +
                (share == detail::Share::owed ? "owed" : "claimed") + " by slot " + std::to_string(to) +
                (detail::wasMemberIn(*segment_, to, block.header().view) ? "" : " (a newcomer)") + ", ";
      }
    });
  }
  return text;
}

bool Look::someoneWants() const {
  bool wants = false;
  for (std::uint32_t slot = 0; slot < segment_->geometry().capacity; ++slot) {
    wants = wants || segment_->control().wants[slot].load() != 0;
  }
  return wants;
}

int Look::barrierArrivals() const {
  const detail::BarrierState& barrier = segment_->control().barrier;
  int count = 0;
  for (std::uint32_t slot = 0; slot < segment_->geometry().capacity; ++slot) {
    count += std::atomic_ref(const_cast<std::uint64_t&>(barrier.arrived[slot])).load() == barrier.round.load() + 1;
  }
  return count;
}

std::optional<std::uint32_t> Look::slotOf(const char* name) const {
  for (std::uint32_t slot = 0; slot < segment_->geometry().capacity; ++slot) {
    if (wordOf(*segment_, slot).phase == Phase::active && segment_->slot(slot).name.view() == name) return slot;
  }
  return std::nullopt;
}

std::int64_t Look::lastBeatNs(int pid) const {
  for (std::uint32_t slot = 0; slot < segment_->geometry().capacity; ++slot) {
    const detail::SlotTableState& table = segment_->slot(slot);
    if (table.pid == static_cast<std::uint32_t>(pid)) return static_cast<std::int64_t>(table.beatAtNs.load());
  }
  return 0;
}

std::uint64_t Look::pending(const char* name) const {
  const auto slot = slotOf(name);
  if (!slot) return 0;
  const detail::MailboxState& mailbox = segment_->mailbox(*slot);
  return mailbox.tail.load() - mailbox.head.load();
}

bool Look::hasIntent(const char* name) const {
  const auto slot = slotOf(name);
  bool found = false;
  if (!slot) return found;
  detail::forEachBlock(*segment_, *slot, [&](const detail::Block& block) {
    found = found || block.phase() == BlockPhase::committed;
  });
  return found;
}

std::uint64_t Look::fingerprint() const {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL + (hash >> 29); };
  const auto addBytes = [&](const void* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size / 8; ++i) add(static_cast<const std::uint64_t*>(bytes)[i]);
  };
  const std::uint32_t capacity = segment_->geometry().capacity;
  const detail::ControlState& control = segment_->control();
  add(reinterpret_cast<const detail::Word&>(control.registryLock).load());
  add(reinterpret_cast<const detail::Word&>(control.cleanupLock).load());
  for (const auto* word : {&control.viewNumber, &control.cleanedView, &control.token}) add(word->load());
  addBytes(&control.barrier, 32);
  for (std::uint32_t slot = 0; slot < capacity; ++slot) {
    add(control.wants[slot].load());
    add(control.barrier.arrived[slot]);
    add(control.barrier.verdict[slot]);
  }
  addBytes(&segment_->cell(0), sizeof(detail::CellState));
  const detail::ViewState& next = segment_->view(control.viewNumber.load() + 1);
  add(next.number);
  add(next.members);
  add(next.departures);
  for (std::uint32_t slot = 0; slot < capacity; ++slot) {
    const detail::SlotTableState& table = segment_->slot(slot);
    const SlotWord word = wordOf(*segment_, slot);
    for (const auto* shared : {&table.word, &table.joinedView, &table.departedView}) add(shared->load());
    add(table.arrival != 0);
    add(table.life.load() != 0);
    add(table.doorbell.word.load());
    if (word.incarnation == 0) continue;
    const detail::MailboxState& mailbox = segment_->mailbox(slot);
    addBytes(&mailbox, sizeof(mailbox));
    addBytes(segment_->mailCells(slot), 16 * sizeof(detail::MailCell));
    addBytes(&segment_->outbox(slot), sizeof(detail::OutboxState) + 4 * segment_->geometry().outboxBlockBytes());
  }
  return hash;
}

}  // namespace ronde::crash
