#pragma once

#include <bitset>
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

/// A set of member ids of one view, without allocation.
class IdSet {
 public:
  void insert(MemberId id) { bits_.set(static_cast<std::size_t>(id)); }
  [[nodiscard]] bool contains(MemberId id) const {
    return id >= 0 && id < kMaxMembers && bits_.test(static_cast<std::size_t>(id));
  }
  [[nodiscard]] bool empty() const { return bits_.none(); }
  [[nodiscard]] int size() const { return static_cast<int>(bits_.count()); }
  /// Calls `visit(MemberId)` in ascending order.
  template <class Visit>
  void forEach(Visit visit) const {
    for (MemberId id = 0; id < kMaxMembers; ++id) {
      if (contains(id)) visit(id);
    }
  }
  friend bool operator==(const IdSet&, const IdSet&) = default;

 private:
  std::bitset<static_cast<std::size_t>(kMaxMembers)> bits_;
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
  Result(T value, Outcome outcome = {}) : outcome_(outcome), value_(std::move(value)) {}  // NOLINT: implicit
  Result(Outcome refusal) : outcome_(refusal) {}                                          // NOLINT
  Result(Status refusal) { outcome_.status = refusal; }                                   // NOLINT

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
