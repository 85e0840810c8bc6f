#include "tests/corruption/regions.hpp"

#include <algorithm>
#include <stdexcept>

namespace ronde::corruption {

using namespace detail;

namespace {

void addControl(std::vector<Region>& regions, std::size_t capacity) {
  const std::size_t at = Geometry::kControlAt;
  const std::size_t barrier = at + offsetof(ControlState, barrier);
  regions.push_back({"registry lock", at + offsetof(ControlState, registryLock), sizeof(SlotLock)});
  regions.push_back({"clean-up lock", at + offsetof(ControlState, cleanupLock), sizeof(SlotLock)});
  regions.push_back({"view number", at + offsetof(ControlState, viewNumber), 2 * sizeof(Word64)});
  regions.push_back({"token", at + offsetof(ControlState, token), sizeof(Word64)});
  regions.push_back({"token wishes", at + offsetof(ControlState, wants), capacity});
  regions.push_back({"barrier lock and rule", barrier, offsetof(BarrierState, startView) + sizeof(std::uint64_t)});
  regions.push_back({"barrier round", barrier + offsetof(BarrierState, round), sizeof(Word64)});
  regions.push_back({"barrier arrivals", barrier + offsetof(BarrierState, arrived), capacity * 8});
  regions.push_back({"barrier verdicts", barrier + offsetof(BarrierState, verdict), capacity * 8});
  regions.push_back(
      {"barrier failures", barrier + offsetof(BarrierState, failures), sizeof(BarrierState::failures)});
  for (std::size_t cell = 0; cell < kCells; ++cell) {
    regions.push_back(
        {"fenced cells", Geometry::kCellsAt + cell * sizeof(CellState), offsetof(CellState, values)});
  }
}

void addViews(std::vector<Region>& regions, std::size_t capacity) {
  for (std::size_t view = 0; view < kRememberedViews; ++view) {
    const std::size_t at = Geometry::kViewsAt + view * sizeof(ViewState);
    regions.push_back({"views", at, offsetof(ViewState, member) + capacity * sizeof(ViewEntry)});
    // A trial has a handful of departures, but a garbled count makes readers look at all entries.
    regions.push_back({"views' departures", at + offsetof(ViewState, departed), sizeof(ViewState::departed)});
  }
}

}  // namespace

std::vector<Region> regionsOf(const Geometry& geometry) {
  std::vector<Region> regions{{"header", 0, sizeof(SegmentHeader)}};
  addControl(regions, geometry.capacity);
  addViews(regions, geometry.capacity);
  for (std::uint32_t slot = 0; slot < geometry.capacity; ++slot) {
    regions.push_back({"slots", Geometry::kSlotsAt + slot * sizeof(SlotTableState), sizeof(SlotTableState)});
    const std::size_t mailbox = geometry.blockAt(slot);
    const std::size_t cells = mailbox + sizeof(MailboxState);
    const std::size_t outbox = cells + geometry.mailboxMessages * sizeof(MailCell) + geometry.mailboxBytes;
    regions.push_back({"mailboxes", mailbox, sizeof(MailboxState)});
    regions.push_back({"mail records", cells, geometry.mailboxMessages * sizeof(MailCell)});
    regions.push_back({"outboxes", outbox, sizeof(OutboxState)});
    regions.push_back(
        {"outbox blocks", outbox + sizeof(OutboxState), kOutboxBlocks * geometry.outboxBlockBytes()});
  }
  return regions;
}

ControlData::ControlData(const Geometry& geometry) : regions_(regionsOf(geometry)) {
  for (const Region& region : regions_) {
    if (std::find(names_.begin(), names_.end(), region.name) == names_.end()) names_.push_back(region.name);
  }
}

std::uint64_t ControlData::bitIn(const std::string& name, testing::Random& random) const {
  std::size_t bytes = 0;
  for (const Region& region : regions_) bytes += region.name == name ? region.bytes : 0;
  std::size_t wanted = random.below(bytes);
  std::size_t number = 0;
  for (const Region& region : regions_) {
    if (region.name != name) {
      number += region.bytes;
    } else if (wanted < region.bytes) {
      return 8 * (number + wanted) + random.below(8);
    } else {
      wanted -= region.bytes;
      number += region.bytes;
    }
  }
  throw std::invalid_argument("no structure is called " + name);
}

std::size_t ControlData::bytes() const {
  std::size_t sum = 0;
  for (const Region& region : regions_) sum += region.bytes;
  return sum;
}

ControlData::Place ControlData::place(std::size_t number) const {
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    if (number < regions_[i].bytes) return {i, regions_[i].at + number};
    number -= regions_[i].bytes;
  }
  throw std::out_of_range("no such place in the control data");
}

}  // namespace ronde::corruption
