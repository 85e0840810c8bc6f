#include "ipc/membership/views.hpp"

#include <bitset>

namespace ronde::detail {
namespace {

/// What no member writes must not reach the program as a value without a name.
Departure reasonOf(const DepartureEntry& entry) {
  const bool isNamed = entry.reason >= static_cast<std::uint64_t>(Departure::left) &&
                       entry.reason <= static_cast<std::uint64_t>(Departure::silent);
  return isNamed ? static_cast<Departure>(entry.reason) : Departure::died;
}

}  // namespace

View ViewData::toPublic() const {
  View view;
  view.number = number;
  view.members.reserve(members.size());
  for (const ViewEntry& entry : members) {
    view.members.push_back(
        {static_cast<MemberId>(view.members.size()), {entry.slot, entry.incarnation}, entry.name});
  }
  view.departed.reserve(departures.size());
  for (const DepartureEntry& entry : departures) {
    view.departed.push_back({{entry.slot, entry.incarnation}, entry.name, reasonOf(entry), entry.view});
  }
  return view;
}

std::optional<ViewData> Views::current() const {
  // Eight changes would have to happen during one copy for a try to fail.
  for (int tries = 0; tries < 1000; ++tries) {
    const std::uint64_t now = number();
    if (now == 0) return ViewData{};
    if (auto view = at(now)) return view;
    if (number() == now) return std::nullopt;  // nobody is writing, so the bytes themselves are wrong
  }
  return std::nullopt;
}

std::optional<ViewData> Views::at(std::uint64_t number) const {
  const ViewState& state = segment_.view(number);
  struct Head {
    std::uint64_t number;
    std::uint32_t members;
    std::uint32_t departures;
  } head{};
  static_assert(offsetof(ViewState, member) == sizeof(Head));
  loadShared(&head, &state, sizeof(head));
  if (head.number != number || head.members > segment_.geometry().capacity ||
      head.departures > View::kRememberedDepartures) {
    return std::nullopt;
  }
  ViewData view;
  view.number = number;
  view.members.resize(head.members);
  view.departures.resize(head.departures);
  loadShared(view.members.data(), state.member, view.members.size() * sizeof(ViewEntry));
  loadShared(view.departures.data(), state.departed, view.departures.size() * sizeof(DepartureEntry));
  // SYNC: view-buffer. The writer of number + 8 starts only after number + 7 is current.
  if (this->number() >= number + kRememberedViews - 1) return std::nullopt;

  std::bitset<kMaxMembers> seen;
  for (const ViewEntry& entry : view.members) {
    if (entry.slot >= segment_.geometry().capacity || entry.incarnation == 0 || seen.test(entry.slot)) {
      return std::nullopt;
    }
    seen.set(entry.slot);
  }
  return view;
}

void Views::install(const ViewData& next) const {
  ViewState& state = segment_.view(next.number);
  storeShared(state.member, next.members.data(), next.members.size() * sizeof(ViewEntry));
  storeShared(state.departed, next.departures.data(), next.departures.size() * sizeof(DepartureEntry));
  const std::uint64_t counts = next.members.size() | (std::uint64_t{next.departures.size()} << 32);
  static_assert(offsetof(ViewState, departures) == offsetof(ViewState, members) + 4);
  storeShared(&state.members, &counts, sizeof(counts));
  storeShared(&state.number, &next.number, sizeof(next.number));
  // A death up to here leaves a buffer that viewNumber does not name. SYNC: view-buffer.
  segment_.control().viewNumber.store(next.number, std::memory_order_seq_cst);
}

}  // namespace ronde::detail
