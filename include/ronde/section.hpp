#pragma once

#include <cstdint>
#include <ronde/export.hpp>
#include <utility>

namespace ronde {

class Communicator;

/// The critical section while it is held; leaving scope gives it back. Movable, not copyable. Belongs to the
/// thread that uses it; must not outlive its communicator.
class RONDE_EXPORT Section {
 public:
  Section(Section&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)), membership_(other.membership_), fence_(other.fence_) {}
  Section& operator=(Section&& other) noexcept;
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;
  ~Section();

  /// The number of this holding: greater than that of every earlier holder in the group (which begins anew at 1
  /// when it is founded anew after the end of its last member). Hand it to whatever the section protects
  /// (FencedCell, a file's version field), and let that refuse smaller ones: a process that was stopped inside the
  /// section and evicted may go on without knowing (Kleppmann 2016).
  [[nodiscard]] std::uint64_t fence() const noexcept { return fence_; }

  /// Gives the section back now. Nothing happens if it was given back or lost already.
  void release() noexcept;

 private:
  friend class Communicator;
  Section(Communicator& owner, std::uint64_t membership, std::uint64_t fence)
      : owner_(&owner), membership_(membership), fence_(fence) {}
  Communicator* owner_;
  std::uint64_t membership_;  ///< of the owner; one that rejoined holds nothing of its former membership
  std::uint64_t fence_;
};

}  // namespace ronde
