#include "ipc/protocol/fenced_cells.hpp"

#include <array>
#include <cstring>
#include <ronde/error.hpp>
#include <string>

namespace ronde::detail {
namespace {

constexpr int kCountBits = 22;

using Value = std::array<std::uint64_t, 24>;
static_assert(sizeof(Value) == sizeof(CellState::values[0]));

}  // namespace

int FencedCells::open(std::string_view name, std::size_t size, const Deadline& deadline) const {
  if (name.empty() || name.size() > kMaxNameLength || name.find('\0') != std::string_view::npos) {
    throw Error(Errc::invalidArgument, "FencedCell: name '" + std::string(name) + "' must have 1 to " +
                                           std::to_string(kMaxNameLength) + " bytes and no NUL");
  }
  SlotLock& lock = context_.segment.control().registryLock;
  if (!holdsLock(lock.lock(context_.self, context_.liveness, deadline))) {
    throw Error(Errc::system,
                "FencedCell: the registry lock was not to be had until the deadline; a stopped process "
                "holds it");
  }
  const SlotLockGuard guard(lock);
  for (int index = 0; index < kCells; ++index) {
    CellState& cell = context_.segment.cell(index);
    if (cell.named.load(std::memory_order_acquire) == 0) {
      cell.name = ShortName(name);
      cell.size = static_cast<std::uint32_t>(size);
      cell.named.store(1, std::memory_order_release);  // a death before this leaves the cell free
      return index;
    }
    if (cell.name.view() != name) continue;
    if (cell.size == size) return index;
    throw Error(Errc::invalidArgument, "FencedCell '" + std::string(name) + "' has " + std::to_string(cell.size) +
                                           " bytes, not " + std::to_string(size) +
                                           "; use one type per name throughout the group");
  }
  throw Error(Errc::groupFull, "FencedCell '" + std::string(name) + "': all " + std::to_string(kCells) +
                                   " cells of the group are in use");
}

Status FencedCells::write(int index, std::span<const std::byte> value, std::uint64_t fence,
                          const Deadline& deadline) const {
  if (fence > Token::kMaxFence) {
    throw Error(Errc::invalidArgument,
                "FencedCell: " + std::to_string(fence) + " is no fence number; pass what Section::fence() gave");
  }
  CellState& cell = context_.segment.cell(index);
  const LockResult locked = cell.lock.lock(context_.self, context_.liveness, deadline);
  if (!holdsLock(locked)) return refusalOf(locked);
  const SlotLockGuard guard(cell.lock);
  const std::uint64_t version = cell.version.load(std::memory_order_relaxed);
  if (fence < version >> kCountBits) return Status::staleFence;
  // Every write changes the version, also under the same fence: the count's low bit names the value, so they take
  // turns.
  const std::uint64_t next = (fence << kCountBits) | ((version + 1) & ((1ULL << kCountBits) - 1));
  Value words{};
  std::memcpy(words.data(), value.data(), std::min(value.size(), sizeof(words)));
  storeShared(cell.values[next & 1], words.data(), sizeof(words));
  cell.version.store(next, std::memory_order_seq_cst);  // THE commit
  return Status::ok;
}

Result<std::uint64_t> FencedCells::read(int index, std::span<std::byte> value) const {
  const CellState& cell = context_.segment.cell(index);
  Value words{};
  for (int tries = 0; tries < 10'000; ++tries) {
    const std::uint64_t version = cell.version.load(std::memory_order_seq_cst);
    if (version == 0) return Status::empty;
    loadShared(words.data(), cell.values[version & 1], sizeof(words));
    if (cell.version.load(std::memory_order_seq_cst) != version) continue;
    std::memcpy(value.data(), words.data(), std::min(value.size(), sizeof(words)));
    return version >> kCountBits;
  }
  return Status::timeout;
}

}  // namespace ronde::detail
