#include "ipc/membership/registry.hpp"

#include <algorithm>
#include <ronde/error.hpp>
#include <thread>

#include "ipc/log.hpp"
#include "ipc/sync/life_word.hpp"

namespace ronde::detail {
namespace {

/// Ids: by arrival, then by name (specification, REGISTER).
bool arrivedBefore(const ViewEntry& a, const ViewEntry& b) {
  return a.arrival != b.arrival ? a.arrival < b.arrival : a.name.view() < b.name.view();
}

bool has(std::span<const Leaving> list, Member member) {
  return std::any_of(list.begin(), list.end(), [&](const Leaving& one) { return one.member == member; });
}

std::uint64_t monotonicNs() {
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(Clock::now().time_since_epoch()).count());
}

}  // namespace

std::optional<Member> Registry::claim(const ShortName& name, const Deadline& deadline) const {
  auto nextWake = Clock::now();
  for (;;) {
    SlotsInUse found;
    const auto self = tryClaim(name, found);
    if (self) return self;
    if (found.living == 0) return std::nullopt;
    if (found.departed == 0 || deadline.passed()) {
      throw Error(Errc::groupFull, "the group's " + std::to_string(segment_.geometry().capacity) +
                                       " slots are all in use (" + std::to_string(found.departed) +
                                       " of them by former members whose last messages were not taken "
                                       "yet); found the group with a larger Options::capacity (RONDE_CAPACITY)");
    }
    // The members free slots when they wake.
    if (Clock::now() >= nextWake) {
      for (std::uint32_t slot = 0; slot < segment_.geometry().capacity; ++slot) segment_.slot(slot).service.wake();
      nextWake = Clock::now() + std::chrono::milliseconds(50);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::optional<Member> Registry::tryClaim(const ShortName& name, SlotsInUse& found) const {
  for (std::uint32_t slot = 0; slot < segment_.geometry().capacity; ++slot) {
    const Phase phase = wordOf(slot).phase;
    if (phase == Phase::active && segment_.isSlotClaimed(slot)) ++found.living;
    if (phase == Phase::departed || (phase == Phase::active && !segment_.isSlotClaimed(slot))) ++found.departed;
    // A slot in phase joining whose file lock is free was left by a joiner that died.
    const auto isClaimable = [&] {
      return wordOf(slot).phase == Phase::free || wordOf(slot).phase == Phase::joining;
    };
    if (!isClaimable() || !segment_.claimSlot(slot)) {
      if (phase == Phase::joining) ++found.living;
      continue;
    }
    if (!isClaimable()) {  // it changed hands before we had the file lock
      segment_.releaseSlot(slot);
      continue;
    }
    try {
      segment_.reserveBlock(slot);  // before anybody can see a slot whose block has no memory
    } catch (...) {
      segment_.releaseSlot(slot);
      throw;
    }
    const Member self{slot, std::max(1U, wordOf(slot).incarnation + 1)};
    SlotTableState& table = segment_.slot(slot);
    segment_.control().wants[slot].store(0, std::memory_order_relaxed);  // a former owner may have died waiting
    // The new incarnation first, then who it is: see Liveness::fence().
    setWord(slot, {self.incarnation, Phase::joining, {}});
    const ProcessIdentity identity = ProcessIdentity::ofThisProcess();
    table.pid = identity.pid;
    table.pidNamespace = identity.pidNamespace;
    table.startTime = identity.startTime;
    table.name = name;
    const CpuSet cores = CpuSet::ofThisThread();
    storeShared(&table.cpus, &cores, sizeof(cores));  // somebody with an old view may be reading
    table.arrival = 0;
    table.joinedView.store(0, std::memory_order_relaxed);
    table.departedView.store(0, std::memory_order_relaxed);
    for (Word64* word : {&table.beats, &table.beatAtNs, &table.clock, &table.sent, &table.received}) {
      word->store(0, std::memory_order_relaxed);
    }
    table.life.store(0, std::memory_order_relaxed);
    return self;
  }
  return std::nullopt;
}

void Registry::abandon(Member self) const {
  setWord(self.slot, {self.incarnation, Phase::free, {}});
  segment_.releaseSlot(self.slot);
}

std::vector<Leaving> Registry::findDead(const Liveness& liveness, bool thorough) const {
  std::vector<Leaving> dead;
  for (std::uint32_t slot = 0; slot < segment_.geometry().capacity; ++slot) {
    const SlotWord word = wordOf(slot);
    if (word.phase == Phase::active && liveness.isDead(slot, thorough)) {
      dead.push_back({{slot, word.incarnation}, Departure::died});
    }
  }
  return dead;
}

Admission Registry::admit(const MemberContext& context, const ShortName& name, const Deadline& deadline) const {
  // System calls stay outside the lock: a death that happens after this is found by the service threads.
  std::vector<Leaving> dead = findDead(context.liveness, true);
  SlotLock& lock = segment_.control().registryLock;
  if (!holdsLock(lock.lock(context.self, context.liveness, deadline))) return Admission::noLock;
  const SlotLockGuard guard(lock);
  // The slot of a member that was dead then may have a new owner by now.
  std::erase_if(dead, [&](const Leaving& one) {
    const SlotWord word = wordOf(one.member.slot);
    return word.incarnation != one.member.incarnation || word.phase != Phase::active;
  });

  const auto current = views_.current();
  if (!current) return Admission::corrupt;
  std::size_t arrived = 0;
  bool anyMemberLives = current->number == 0;
  for (std::uint32_t slot = 0; slot < segment_.geometry().capacity; ++slot) {
    const SlotWord word = wordOf(slot);
    const Member member{slot, word.incarnation};
    if (word.phase != Phase::active || member == context.self) continue;
    const bool isDead = has(dead, member) || context.liveness.isDead(slot, false);
    if (isDead && !has(dead, member)) dead.push_back({member, Departure::died});
    if (isDead) continue;
    if (segment_.slot(slot).name == name) return Admission::nameTaken;
    if (current->contains(member)) anyMemberLives = true;
    ++arrived;
  }
  // Whoever is registered and lives is in the view, unless that is damaged.
  if (!anyMemberLives) return arrivedCount(context.liveness) > 0 ? Admission::corrupt : Admission::groupDead;

  for (const Leaving& one : dead) {
    segment_.slot(one.member.slot).departedView.store(current->number == 0 ? 0 : current->number + 1);
    setWord(one.member.slot, {one.member.incarnation, Phase::departed, one.reason});
  }
  segment_.slot(context.self.slot).arrival = monotonicNs();
  setWord(context.self.slot, {context.self.incarnation, Phase::active, {}});
  if (current->number == 0 && arrived + 1 < segment_.geometry().expected) return Admission::waiting;
  installNext(*current, current->number == 0, context.self);
  return Admission::admitted;
}

bool Registry::remove(const MemberContext& context, std::span<const Leaving> leaving,
                      const Deadline& deadline) const {
  SlotLock& lock = segment_.control().registryLock;
  if (!holdsLock(lock.lock(context.self, context.liveness, deadline))) return false;
  const SlotLockGuard guard(lock);
  const auto current = views_.current();
  if (!current || !context.isActive(context.self)) return false;
  for (const auto& [member, reason, beats] : leaving) {
    const SlotWord word = wordOf(member.slot);
    if (word.incarnation != member.incarnation || word.phase != Phase::active) continue;
    if (reason == Departure::silent && segment_.slot(member.slot).beats.load(std::memory_order_acquire) != beats) {
      continue;
    }
    segment_.slot(member.slot).departedView.store(current->contains(member) ? current->number + 1 : 0);
    // From this store on the member is refused everywhere. SYNC: departure.
    setWord(member.slot, {member.incarnation, Phase::departed, reason});
  }
  return current->number > 0 && installNext(*current, false, std::nullopt);
}

bool Registry::installNext(const ViewData& current, bool founding, std::optional<Member> joining) const {
  ViewData next;
  next.number = current.number + 1;
  next.departures = current.departures;
  const auto entryOf = [&](Member member) {
    const SlotTableState& table = segment_.slot(member.slot);
    return ViewEntry{member.slot, member.incarnation, table.arrival, table.name};
  };
  for (const ViewEntry& entry : current.members) {
    const SlotWord word = wordOf(entry.slot);
    if (word.incarnation == entry.incarnation && word.phase == Phase::active) {
      next.members.push_back(entry);
    } else {
      // Covers a departure whose proposer died before it could install the view.
      segment_.slot(entry.slot).departedView.store(next.number);
      next.departures.push_back(
          {entry.slot, entry.incarnation, next.number, static_cast<std::uint64_t>(word.departure), entry.name});
    }
  }
  if (founding) {
    for (std::uint32_t slot = 0; slot < segment_.geometry().capacity; ++slot) {
      const SlotWord word = wordOf(slot);
      if (word.phase == Phase::active) next.members.push_back(entryOf({slot, word.incarnation}));
    }
    std::sort(next.members.begin(), next.members.end(), arrivedBefore);
  } else if (joining && !current.contains(*joining)) {
    next.members.push_back(entryOf(*joining));
  }
  if (next.members.size() == current.members.size() && next.departures.size() == current.departures.size()) {
    return false;
  }
  const auto excess = static_cast<std::ptrdiff_t>(next.departures.size()) - View::kRememberedDepartures;
  if (excess > 0) next.departures.erase(next.departures.begin(), next.departures.begin() + excess);

  for (const ViewEntry& entry : next.members) {
    Word64& joined = segment_.slot(entry.slot).joinedView;
    if (joined.load(std::memory_order_relaxed) == 0) joined.store(next.number, std::memory_order_release);
  }
  views_.install(next);
  return true;
}

void Registry::reclaim(const MemberContext& context, std::uint32_t slot,
                       const std::function<bool()>& isOwed) const {
  const SlotWord word = wordOf(slot);
  if (word.phase != Phase::departed || !context.liveness.isDeserted(slot)) return;
  const std::uint64_t cleaned = segment_.control().cleanedView.load(std::memory_order_acquire);
  if (cleaned > views_.number()) return;  // no member writes that
  if (segment_.slot(slot).departedView.load() > cleaned) return;
  if (isOwed()) return;
  SlotLock& lock = segment_.control().registryLock;
  if (!holdsLock(lock.tryLock(context.self, context.liveness))) return;
  const SlotLockGuard guard(lock);
  // We may have been stopped since: the answers are about the owner that the word named.
  if (wordOf(slot).pack() != word.pack()) return;
  setWord(slot, {word.incarnation, Phase::free, {}});
}

int Registry::arrivedCount(const Liveness& liveness) const {
  int count = 0;
  for (std::uint32_t slot = 0; slot < segment_.geometry().capacity; ++slot) {
    if (wordOf(slot).phase == Phase::active && !liveness.isDead(slot, true)) ++count;
  }
  return count;
}

std::string Registry::arrivedNames(const Liveness& liveness) const {
  std::vector<ViewEntry> arrived;
  for (std::uint32_t slot = 0; slot < segment_.geometry().capacity; ++slot) {
    const SlotTableState& table = segment_.slot(slot);
    if (wordOf(slot).phase != Phase::active || liveness.isDead(slot, true)) continue;
    arrived.push_back({slot, 0, table.arrival, table.name});
  }
  std::sort(arrived.begin(), arrived.end(), arrivedBefore);
  std::string text;
  for (const ViewEntry& entry : arrived) {
    text += (text.empty() ? "" : ", ") + std::string(entry.name.view());
  }
  return text;
}

}  // namespace ronde::detail
