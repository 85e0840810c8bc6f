#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "ipc/membership/views.hpp"

namespace ronde::detail {

/// This process's memory of views: the newest it has seen, the one its program looked at last (which gives ids
/// their meaning), and the names of everybody it ever met. Thread-safe.
class Roster {
 public:
  explicit Roster(const Views& views) : views_(views) {}

  /// The current view; reads the segment only if the number has changed. Null if the segment holds garbage.
  [[nodiscard]] std::shared_ptr<const ViewData> current();

  /// Gives ids the meaning they have in `view`.
  void adopt(const ViewData& view);
  /// Size and number of the adopted view.
  [[nodiscard]] int adoptedSize() const { return adoptedSize_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t adoptedNumber() const { return adoptedNumber_.load(std::memory_order_acquire); }
  /// The member that `id` means in the adopted view; incarnation 0 if there is none.
  [[nodiscard]] Member memberOf(MemberId id) const;
  /// The id of `member` in the adopted view, or kUnknownId.
  [[nodiscard]] MemberId idOf(Member member) const;
  /// The name of a present or former member; empty if it was never met.
  void copyName(Member member, ShortName& name);

 private:
  static std::uint64_t key(Member member) { return (std::uint64_t{member.incarnation} << 32) | member.slot; }
  void remember(const ViewData& view);
  void rememberName(Member member, const ShortName& name);

  const Views& views_;
  std::mutex mutex_;
  std::shared_ptr<const ViewData> current_ = std::make_shared<const ViewData>();
  std::unordered_map<std::uint64_t, ShortName> names_;
  // Arrays of words rather than a guarded vector: sendTo looks an id up on every call.
  std::array<std::atomic<std::uint64_t>, kMaxMembers> adoptedById_{};    // key(member), 0 = nobody
  std::array<std::atomic<std::uint64_t>, kMaxMembers> adoptedBySlot_{};  // incarnation << 32 | id + 1
  // The newest name per slot, read without the mutex (loadShared). `incarnation` is 0 while the name is written.
  struct NameInSlot {
    std::atomic<std::uint64_t> incarnation{0};
    std::array<std::uint64_t, sizeof(ShortName) / 8> words{};
  };
  std::array<NameInSlot, kMaxMembers> newestNames_;
  std::atomic<int> adoptedSize_{0};
  std::atomic<std::uint64_t> adoptedNumber_{0};
};

}  // namespace ronde::detail
