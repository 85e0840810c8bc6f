#pragma once

#include <ronde/status.hpp>
#include <span>
#include <string_view>

#include "ipc/membership/context.hpp"

namespace ronde::detail {

/// The named values of FencedCell. A write is one commit; a fence older than the last accepted one is refused.
/// Stateless, thread-safe.
class FencedCells {
 public:
  explicit FencedCells(const MemberContext& context) : context_(context) {}

  /// Finds or makes the cell. @throws Error(invalidArgument), Error(groupFull).
  [[nodiscard]] int open(std::string_view name, std::size_t size, const Deadline& deadline) const;
  /// @throws Error(invalidArgument) for a number that no fence can have: it would shut out every later writer.
  [[nodiscard]] Status write(int cell, std::span<const std::byte> value, std::uint64_t fence,
                             const Deadline& deadline) const;
  /// Copies the value out and returns its fence; `empty` before the first write.
  [[nodiscard]] Result<std::uint64_t> read(int cell, std::span<std::byte> value) const;

 private:
  const MemberContext& context_;
};

}  // namespace ronde::detail
