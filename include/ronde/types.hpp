#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <string_view>
#include <type_traits>

namespace ronde {

/// Number of a process in a view: its rank in arrival order, 0 to size-1. It belongs to that view and may
/// change with the next one; `Member` is the name that stays.
using MemberId = int;

/// The id of somebody who is not in the view in question.
inline constexpr MemberId kUnknownId = -1;

/// A time of a Lamport clock (Lamport 1978), a count of events without unit.
using LamportTime = std::uint64_t;

/// All time limits; any std::chrono duration converts. Measured on CLOCK_MONOTONIC.
using Timeout = std::chrono::nanoseconds;

/// Stands for "the limit from Options::timeout".
inline constexpr Timeout kDefaultTimeout{-1};

/// The most members a group can be created for.
inline constexpr int kMaxMembers = 512;

/// The longest name of a process or a group, in bytes.
inline constexpr std::size_t kMaxNameLength = 31;

/// A member for as long as it lives, across all views: the slot it occupies and how many times that slot
/// had been given out when it came. Never reused, so an old handle cannot mean a newcomer.
struct Member {
  std::uint32_t slot = 0;
  std::uint32_t incarnation = 0;  ///< 0 only in a handle that means nobody

  friend auto operator<=>(const Member&, const Member&) = default;
};

/// A name held in place: copying one allocates nothing.
class ShortName {
 public:
  ShortName() = default;
  /// Keeps the first kMaxNameLength bytes of `text`.
  explicit ShortName(std::string_view text) {
    std::copy_n(text.begin(), std::min(text.size(), kMaxNameLength), bytes_.begin());
  }
  /// Ends at the first NUL, or after kMaxNameLength bytes: a name from shared memory may have none.
  [[nodiscard]] std::string_view view() const {
    const auto end = std::find(bytes_.begin(), bytes_.end() - 1, '\0');
    return {bytes_.data(), static_cast<std::size_t>(end - bytes_.begin())};
  }
  friend bool operator==(const ShortName&, const ShortName&) = default;

 private:
  std::array<char, kMaxNameLength + 1> bytes_{};
};

namespace detail {

template <class T>
concept TextLike = std::is_convertible_v<const T&, std::string_view>;

template <class T>
concept ByteRange = std::is_convertible_v<const T&, std::span<const std::byte>> && !TextLike<T>;

/// A value whose bytes mean the same in another process: no pointers, no views such as std::span<int>.
template <class T>
concept PlainValue = std::is_trivially_copyable_v<T> && !std::is_pointer_v<T> && !std::is_array_v<T> &&
                     !std::ranges::enable_view<T> && !TextLike<T> && !ByteRange<T>;

}  // namespace detail

/// What a message carries: a view of bytes that belong to the caller, who keeps them alive during the call.
/// Converts from byte ranges, strings, and values of trivially copyable types other than pointers.
class Payload {
 public:
  Payload() = default;
  template <detail::ByteRange T>
  Payload(const T& bytes) : bytes_(bytes) {}  // NOLINT: implicit by design
  template <detail::TextLike T>
  Payload(const T& text) : bytes_(std::as_bytes(std::span(std::string_view(text)))) {}  // NOLINT
  template <detail::PlainValue T>
  Payload(const T& value) : bytes_(std::as_bytes(std::span(&value, 1))) {}  // NOLINT

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace ronde
