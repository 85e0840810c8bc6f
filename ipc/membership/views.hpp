#pragma once

#include <optional>
#include <vector>

#include "ipc/segment/segment.hpp"

namespace ronde::detail {

/// A view as this process keeps it.
struct ViewData {
  std::uint64_t number = 0;
  std::vector<ViewEntry> members;          ///< in arrival order: index = id
  std::vector<DepartureEntry> departures;  ///< oldest first

  [[nodiscard]] bool contains(Member member) const { return idOf(member) >= 0; }
  [[nodiscard]] MemberId idOf(Member member) const {
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (members[i].slot == member.slot && members[i].incarnation == member.incarnation) {
        return static_cast<MemberId>(i);
      }
    }
    return kUnknownId;
  }
  [[nodiscard]] Member memberAt(std::size_t id) const { return {members[id].slot, members[id].incarnation}; }
  [[nodiscard]] View toPublic() const;
};

/// Reads and installs the views in the segment. Stateless.
class Views {
 public:
  explicit Views(const Segment& segment) : segment_(segment) {}

  /// Number of the current view, 0 before the founding one.
  [[nodiscard]] std::uint64_t number() const noexcept {
    return segment_.control().viewNumber.load(std::memory_order_seq_cst);
  }
  /// The current view, without a lock. Nothing if the segment holds what no member writes.
  [[nodiscard]] std::optional<ViewData> current() const;
  /// View `number`, if it is still remembered.
  [[nodiscard]] std::optional<ViewData> at(std::uint64_t number) const;
  /// Makes `next` the current view; its number is one more than the current. The caller holds the registry lock.
  void install(const ViewData& next) const;

 private:
  const Segment& segment_;
};

}  // namespace ronde::detail
