#include "ipc/membership/roster.hpp"

namespace ronde::detail {
namespace {

constexpr std::size_t kNamesKept = 4096;

}  // namespace

std::shared_ptr<const ViewData> Roster::current() {
  const std::lock_guard guard(mutex_);
  if (current_->number != views_.number()) {
    auto view = views_.current();
    // Numbers only grow: an old view under an old number is damage, too.
    if (!view || view->number < current_->number) return nullptr;
    remember(*view);
    current_ = std::make_shared<const ViewData>(std::move(*view));
  }
  return current_;
}

void Roster::remember(const ViewData& view) {
  if (names_.size() > kNamesKept) names_.clear();
  for (const auto& entry : view.departures) names_[key({entry.slot, entry.incarnation})] = entry.name;
  for (const auto& entry : view.members) rememberName({entry.slot, entry.incarnation}, entry.name);
}

void Roster::rememberName(Member member, const ShortName& name) {
  names_[key(member)] = name;
  NameInSlot& newest = newestNames_[member.slot];
  if (newest.incarnation.load(std::memory_order_relaxed) == member.incarnation) return;
  newest.incarnation.store(0, std::memory_order_relaxed);
  storeShared(newest.words.data(), &name, sizeof(name));
  newest.incarnation.store(member.incarnation, std::memory_order_release);
}

void Roster::adopt(const ViewData& view) {
  std::array<std::uint64_t, kMaxMembers> byId{};
  std::array<std::uint64_t, kMaxMembers> bySlot{};
  for (std::size_t id = 0; id < view.members.size(); ++id) {
    const Member member = view.memberAt(id);
    byId[id] = key(member);
    bySlot[member.slot] = (std::uint64_t{member.incarnation} << 32) | (id + 1);
  }
  const std::lock_guard guard(mutex_);
  // Each word once: whoever stays in the view is never seen as a stranger in between.
  for (std::size_t i = 0; i < byId.size(); ++i) {
    adoptedById_[i].store(byId[i], std::memory_order_release);
    adoptedBySlot_[i].store(bySlot[i], std::memory_order_release);
  }
  adoptedSize_.store(static_cast<int>(view.members.size()), std::memory_order_release);
  adoptedNumber_.store(view.number, std::memory_order_release);
}

Member Roster::memberOf(MemberId id) const {
  if (id < 0 || id >= kMaxMembers) return {};
  const std::uint64_t word = adoptedById_[static_cast<std::size_t>(id)].load(std::memory_order_acquire);
  return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
}

MemberId Roster::idOf(Member member) const {
  if (member.slot >= kMaxMembers) return kUnknownId;
  const std::uint64_t word = adoptedBySlot_[member.slot].load(std::memory_order_acquire);
  if ((word >> 32) != member.incarnation || word == 0) return kUnknownId;
  return static_cast<MemberId>(word & 0xffffffff) - 1;
}

void Roster::copyName(Member member, ShortName& name) {
  if (member.slot < kMaxMembers) {
    const NameInSlot& newest = newestNames_[member.slot];
    if (newest.incarnation.load(std::memory_order_acquire) == member.incarnation) {
      loadShared(&name, newest.words.data(), sizeof(name));
      if (newest.incarnation.load(std::memory_order_relaxed) == member.incarnation) return;
    }
  }
  static_cast<void>(current());  // it may be of a view that we have not seen
  const std::lock_guard guard(mutex_);
  const auto found = names_.find(key(member));
  name = found == names_.end() ? ShortName() : found->second;
}

}  // namespace ronde::detail
