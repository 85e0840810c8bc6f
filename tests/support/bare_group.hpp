#pragma once

#include <linux/futex.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "ipc/mailbox/inbox.hpp"
#include "ipc/mailbox/outbox.hpp"
#include "ipc/membership/registry.hpp"
#include "ipc/membership/roster.hpp"
#include "ipc/protocol/cleanup.hpp"
#include "tests/support/deadlines.hpp"

namespace ronde::testing {

/// A small group that no other test uses.
inline Options scratchOptions(int expected = 1) {
  static std::atomic<int> counter{0};
  Options options;
  options.group = "unit." + std::to_string(getpid()) + "." + std::to_string(++counter);
  options.expected = expected;
  options.mailboxMessages = 64;
  options.mailboxBytes = 64 * 1024;
  options.maxMessage = 64 * 1024;
  return options;
}

/// A member as Communicator makes one, with a file description of its own, but without a service thread: nothing
/// happens that the test does not do.
class BareMember {
 public:
  BareMember(const Options& options, std::string_view nameGiven, const detail::Deadline& deadline = soon())
      : name(nameGiven),
        segment(detail::Segment::joinOrCreate(options, deadline)),
        registry(*segment),
        self(registry.claim(name, deadline).value()),
        liveness(*segment, self.slot),
        context(*segment, self, liveness, options.waiting),
        roster(context.views),
        outbox(*segment, self.slot),
        inbox(*segment, self, liveness, soon()) {}

  detail::Admission admit(const detail::Deadline& deadline = soon()) {
    return registry.admit(context, name, deadline);
  }

  [[nodiscard]] detail::SlotTableState& table() const { return segment->slot(self.slot); }
  [[nodiscard]] detail::SlotWord word() const {
    return detail::SlotWord::unpack(table().word.load(std::memory_order_seq_cst));
  }
  void setPhase(detail::Phase phase, Departure why = {}) const {
    table().word.store(detail::SlotWord{self.incarnation, phase, why}.pack(), std::memory_order_seq_cst);
  }
  /// What the kernel leaves of a member whose process ends at this point: both signs of death, all else as it is.
  void die() const {
    table().life.store(FUTEX_OWNER_DIED, std::memory_order_seq_cst);
    segment->releaseSlot(self.slot);
  }
  /// What our service thread notes of a member whose heart has stood still for too long.
  void noteSilent(Member member) {
    liveness.noteSilent(member, segment->slot(member.slot).beats.load(std::memory_order_acquire));
  }
  /// What a member leaves that dies while it holds `lock`.
  void dieHolding(detail::SlotLock& lock) {
    if (!holdsLock(lock.lock(self, liveness, soon()))) throw std::logic_error("the lock is not free");
    die();
  }

  const ShortName name;
  const std::unique_ptr<detail::Segment> segment;
  detail::Registry registry;
  const Member self;
  detail::Liveness liveness;
  detail::MemberContext context;
  detail::Roster roster;
  detail::Outbox outbox;
  detail::Inbox inbox;
};

/// A founded group of members P0, P1, … in this process; P0 has slot 0 and id 0, and so on.
class BareGroup {
 public:
  explicit BareGroup(int size, const Options& options = scratchOptions()) : options_(options) {
    options_.expected = size;
    for (int i = 0; i < size; ++i) {
      const auto expected = i + 1 < size ? detail::Admission::waiting : detail::Admission::admitted;
      if (add().admit() != expected) throw std::logic_error("the scratch group was not founded");
    }
    cleanUp();
  }

  [[nodiscard]] BareMember& operator[](std::size_t index) const { return *members_.at(index); }
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] const detail::Segment& segment() const { return *members_.front()->segment; }
  [[nodiscard]] const Options& options() const { return options_; }

  /// A further member in phase joining.
  BareMember& add() {
    members_.push_back(std::make_unique<BareMember>(options_, "P" + std::to_string(members_.size())));
    return *members_.back();
  }
  /// A further member in the view.
  BareMember& join() {
    BareMember& member = add();
    if (member.admit() != detail::Admission::admitted) throw std::logic_error("the newcomer was not admitted");
    cleanUp();
    return member;
  }
  /// The view change without `gone`, installed by `by`, and nothing after it.
  static void installWithout(const BareMember& gone, Departure why, const BareMember& by) {
    const detail::Leaving leaving{gone.self, why};
    if (!by.registry.remove(by.context, {&leaving, 1}, soon())) throw std::logic_error("no view was installed");
  }
  /// Runs the clean-up in the first member that may.
  void cleanUp() const {
    for (const auto& member : members_) {
      if (member->context.isActive(member->self) && !isDead(*member)) {
        static_cast<void>(detail::cleanUp(member->context, member->registry));
        return;
      }
    }
  }
  /// Death, view change and clean-up.
  void bury(BareMember& gone, const BareMember& by) const {
    gone.die();
    installWithout(gone, Departure::died, by);
    static_cast<void>(detail::cleanUp(by.context, by.registry));
  }

 private:
  static bool isDead(const BareMember& member) { return member.table().life.load() == FUTEX_OWNER_DIED; }

  Options options_;
  std::vector<std::unique_ptr<BareMember>> members_;
};

}  // namespace ronde::testing
