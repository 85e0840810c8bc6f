#pragma once

#include <cstring>
#include <ronde/communicator.hpp>
#include <string_view>
#include <type_traits>

namespace ronde {

/// A named value in the segment that accepts a write only with a fence number not older than the last one
/// accepted: what a holder of the critical section that was stopped, evicted and resumed writes late is refused.
/// All members that open the same name share the value. A write is seen whole or not at all, whenever its
/// writer dies. At most 32 names per group; they live as long as the group. Thread-safe.
template <class T>
class FencedCell {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
  static_assert(sizeof(T) <= kFencedCellBytes, "a FencedCell holds at most kFencedCellBytes bytes");

 public:
  /// Opens the cell `name` (1 to 31 bytes), creating it when it is new.
  /// @throws Error(invalidArgument) for an illegal name, a cell of another size, or a communicator that was
  /// stopped or evicted; Error(groupFull) if all 32 are in use.
  FencedCell(Communicator& communicator, std::string_view name)
      : communicator_(communicator), index_(communicator.openCell(name, sizeof(T))) {}

  /// Writes under `fence`, as given by Section::fence(). Status::staleFence: a later holder has written.
  [[nodiscard]] Status write(const T& value, std::uint64_t fence) {
    return communicator_.writeCell(index_, std::as_bytes(std::span(&value, 1)), fence);
  }

  struct Stamped {
    T value;
    std::uint64_t fence;  ///< of the write
  };
  /// The last accepted value; Status::empty before the first write.
  [[nodiscard]] Result<Stamped> read() const {
    T value{};
    const auto fence = communicator_.readCell(index_, std::as_writable_bytes(std::span(&value, 1)));
    if (!fence) return fence.status();
    return Stamped{value, *fence};
  }

 private:
  Communicator& communicator_;
  int index_;
};

}  // namespace ronde
