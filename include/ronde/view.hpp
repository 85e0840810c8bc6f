#pragma once

#include <cstdint>
#include <ronde/export.hpp>
#include <ronde/types.hpp>
#include <string>
#include <vector>

namespace ronde {

/// Why a member is not in the view any more.
enum class Departure : std::uint8_t {
  left = 1,  ///< called stop()
  died,      ///< its process ended in any other way
  silent,    ///< no heartbeat within the limit though alive; evicted
};

/// A short English text, e.g. "died".
[[nodiscard]] RONDE_EXPORT std::string_view toString(Departure reason) noexcept;

struct ViewMember {
  MemberId id = kUnknownId;
  Member member;
  ShortName name;
};

struct DepartedMember {
  Member member;
  ShortName name;
  Departure reason = Departure::died;  ///< also if the segment's entry is damaged
  std::uint64_t view = 0;              ///< number of the first view without it
};

/// The agreed, numbered list of the living in arrival order. All members see the same list under the same
/// number. A copy: it does not change under the reader.
struct View {
  std::uint64_t number = 0;              ///< 1 for the founding cohort, then one more at each change; 0 before
  std::vector<ViewMember> members;       ///< members[k].id == k
  std::vector<DepartedMember> departed;  ///< the last kRememberedDepartures of the group, oldest first

  static constexpr int kRememberedDepartures = 64;

  [[nodiscard]] int size() const { return static_cast<int>(members.size()); }
  /// The id of `member` here, or kUnknownId.
  [[nodiscard]] RONDE_EXPORT MemberId idOf(Member member) const;
  /// The id of the member called `name` here, or kUnknownId.
  [[nodiscard]] RONDE_EXPORT MemberId idOf(std::string_view name) const;
};

}  // namespace ronde
