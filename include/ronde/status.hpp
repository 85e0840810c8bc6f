#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <ronde/export.hpp>
#include <ronde/types.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace ronde {

/// How a call ended. Everything here can happen in a healthy program; broken set-up and misuse throw
/// `ronde::Error` instead (error.hpp). Never both for one condition.
enum class Status : std::uint8_t {
  ok,              ///< done
  timeout,         ///< the deadline passed first; `missing` names those who did not come
  empty,           ///< nothing to take right now (the try calls)
  full,            ///< no room; `missing` names the members whose mailbox is full
  peerFailed,      ///< a member that the call needs died, was evicted or left; `failed` names it
  peerStopped,     ///< a member that holds a needed lock is stopped and may not be fenced (SilencePolicy::wait)
  staleView,       ///< the addressee is not in the view any more; call view() and decide anew
  mismatch,        ///< participants of one barrier round named different N
  staleFence,      ///< a FencedCell refused a write by a former holder of the critical section
  evicted,         ///< this process was silent for too long and excluded; only rejoin() helps
  stopped,         ///< stop() was called on this communicator
  mailboxCorrupt,  ///< a mailbox holds bytes that no member writes; its mail is lost, the rest goes on
  segmentCorrupt,  ///< control data holds values that no member writes; leave the group
};

/// A short English text for `status`, e.g. "timeout". Never null.
[[nodiscard]] RONDE_EXPORT std::string_view toString(Status status) noexcept;

/// A set of member ids of one view, without allocation. An empty or small one costs little to make and to copy.
class IdSet {
 public:
  IdSet() = default;
  IdSet(const IdSet& other) { *this = other; }
  IdSet& operator=(const IdSet& other) {
    used_ = other.used_;
    std::copy_n(other.words_.begin(), used_, words_.begin());
    return *this;
  }
  ~IdSet() = default;

  /// `id` from 0 to kMaxMembers - 1.
  void insert(MemberId id) {
    const auto word = static_cast<std::size_t>(id) / 64;
    for (; used_ <= word; ++used_) words_[used_] = 0;
    words_[word] |= std::uint64_t{1} << (static_cast<std::size_t>(id) % 64);
  }
  [[nodiscard]] bool contains(MemberId id) const {
    const auto word = static_cast<std::size_t>(id) / 64;
    return id >= 0 && word < used_ && (words_[word] >> (static_cast<std::size_t>(id) % 64) & 1) != 0;
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] int size() const {
    int count = 0;
    for (std::size_t i = 0; i < used_; ++i) count += std::popcount(words_[i]);
    return count;
  }
  /// Calls `visit(MemberId)` in ascending order.
  template <class Visit>
  void forEach(Visit visit) const {
    for (MemberId id = 0; id < static_cast<MemberId>(64 * used_); ++id) {
      if (contains(id)) visit(id);
    }
  }
  friend bool operator==(const IdSet& a, const IdSet& b) {
    const std::size_t common = std::min(a.used_, b.used_);
    const auto rest = [common](const IdSet& set) {
      return std::all_of(set.words_.begin() + common, set.words_.begin() + set.used_,
                         [](std::uint64_t word) { return word == 0; });
    };
    return std::equal(a.words_.begin(), a.words_.begin() + common, b.words_.begin()) && rest(a) && rest(b);
  }

 private:
  std::size_t used_ = 0;                                                         // words that have a value
  std::array<std::uint64_t, static_cast<std::size_t>(kMaxMembers) / 64> words_;  // NOLINT: the others need none
};

/// The result of a call that concerns other members. The ids are those of view number `view`.
struct [[nodiscard]] Outcome {
  Status status = Status::ok;
  std::uint64_t view = 0;
  IdSet acknowledged;  ///< took the message
  IdSet failed;        ///< died, evicted or left before they could
  IdSet missing;       ///< alive, but not there in time (or without room)

  [[nodiscard]] bool ok() const { return status == Status::ok; }
  explicit operator bool() const { return ok(); }
  /// One line for people, e.g. "timeout: missing 2, 3".
  [[nodiscard]] RONDE_EXPORT std::string text() const;
};

/// A value, or the reason why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}                // NOLINT: implicit
  explicit Result(std::in_place_t) : value_(std::in_place) {}  ///< with a value made by its default constructor
  Result(Outcome refusal) : outcome_(refusal) {}               // NOLINT
  Result(Status refusal) { outcome_.status = refusal; }        // NOLINT

  [[nodiscard]] bool ok() const { return outcome_.ok(); }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] Status status() const { return outcome_.status; }
  [[nodiscard]] const Outcome& outcome() const { return outcome_; }
  [[nodiscard]] bool hasValue() const { return value_.has_value(); }
  /// The value; throws std::bad_optional_access if there is none.
  [[nodiscard]] T& value() { return value_.value(); }
  [[nodiscard]] const T& value() const { return value_.value(); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Outcome outcome_;
  std::optional<T> value_;
};

}  // namespace ronde
