#pragma once

#include <functional>
#include <optional>
#include <ronde/options.hpp>
#include <span>
#include <string>
#include <vector>

#include "ipc/membership/context.hpp"

namespace ronde::detail {

/// A member that is to go, and why.
struct Leaving {
  Member member;
  Departure reason;
  std::uint64_t beats = 0;  ///< for Departure::silent: what was seen; if it has beaten since, it stays
};

/// What became of an attempt to register.
enum class Admission {
  admitted,   ///< in the view
  waiting,    ///< registered; the founding cohort is not complete
  nameTaken,  ///< by a living member
  groupDead,  ///< every member of the view is dead: do not join, take over
  noLock,     ///< the registry lock was not to be had until the deadline
  corrupt,    ///< the segment holds what no member writes
};

/// REGISTER: slots, arrival order, and the installation of views.
///
/// A slot: free -> joining (its process holds the file lock) -> active -> departed -> free, incarnation + 1 each
/// time. A view change writes the departed's slot words first, so that they are shut out before anybody acts on
/// their absence; whoever installs a view folds in every member whose word says departed, so a proposer that dies
/// between the two is completed by the next.
class Registry {
 public:
  explicit Registry(const Segment& segment) : segment_(segment), views_(segment) {}

  /// Takes a free slot (phase joining) and writes who we are into it. Waits until the deadline if slots of former
  /// members may still come free. Nothing: every member of the view is dead, so nobody will free one.
  /// @throws Error(groupFull), Error(noSpace).
  [[nodiscard]] std::optional<Member> claim(const ShortName& name, const Deadline& deadline) const;
  /// Gives a claimed slot back that never became active.
  void abandon(Member self) const;

  /// Registers `context.self`: numbers it, and installs the founding view or the next one if it is due.
  [[nodiscard]] Admission admit(const MemberContext& context, const ShortName& name,
                                const Deadline& deadline) const;

  /// Takes `leaving` out of the view, and whoever else is departed but still in it. True if a view was installed
  /// (the caller then runs the clean-up). False also if the lock was not to be had until `deadline` (try again),
  /// and if we are not an active member ourselves: who was evicted decides nothing any more.
  bool remove(const MemberContext& context, std::span<const Leaving> leaving, const Deadline& deadline) const;

  /// Active members that are dead by now. Makes system calls if `thorough`.
  [[nodiscard]] std::vector<Leaving> findDead(const Liveness& liveness, bool thorough) const;

  /// Frees a departed slot that nobody needs any more: process gone, clean-up done, and nobody `isOwed` anything
  /// that its owner left. That is asked last: before the clean-up it is not known yet.
  void reclaim(const MemberContext& context, std::uint32_t slot, const std::function<bool()>& isOwed) const;

  /// Names of the registered, living members, for messages to people: "P0, P2".
  [[nodiscard]] std::string arrivedNames(const Liveness& liveness) const;
  [[nodiscard]] int arrivedCount(const Liveness& liveness) const;

 private:
  [[nodiscard]] SlotWord wordOf(std::uint32_t slot) const {
    return SlotWord::unpack(segment_.slot(slot).word.load(std::memory_order_seq_cst));
  }
  void setWord(std::uint32_t slot, SlotWord word) const {
    segment_.slot(slot).word.store(word.pack(), std::memory_order_seq_cst);
  }
  /// What a look for a free slot found besides.
  struct SlotsInUse {
    int departed = 0;  ///< of former members: may come free
    int living = 0;
  };
  [[nodiscard]] std::optional<Member> tryClaim(const ShortName& name, SlotsInUse& found) const;
  /// Under the registry lock: builds the view that follows from the slot words, and installs it if it differs.
  /// `founding`: the view is the first one, so all active members are in it.
  bool installNext(const ViewData& current, bool founding, std::optional<Member> joining) const;

  const Segment& segment_;
  Views views_;
};

}  // namespace ronde::detail
