#include <algorithm>
#include <ronde/inspect.hpp>

#include "ipc/membership/views.hpp"
#include "ipc/segment/segment.hpp"
#include "ipc/segment/shm_file.hpp"

namespace ronde {
namespace {

SlotState stateOf(detail::Phase phase) {
  switch (phase) {
    case detail::Phase::free: return SlotState::free;
    case detail::Phase::joining: return SlotState::joining;
    case detail::Phase::active: return SlotState::active;
    case detail::Phase::departed: return SlotState::departed;
  }
  return SlotState::damaged;
}

}  // namespace

class GroupInspector::Impl {
 public:
  explicit Impl(std::unique_ptr<detail::Segment> opened) : segment(std::move(opened)) {}
  const std::unique_ptr<detail::Segment> segment;
};

GroupInspector::GroupInspector(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GroupInspector::GroupInspector(GroupInspector&&) noexcept = default;
GroupInspector& GroupInspector::operator=(GroupInspector&&) noexcept = default;
GroupInspector::~GroupInspector() = default;

std::optional<GroupInspector> GroupInspector::open(std::string_view group) {
  auto segment = detail::Segment::openForReading(std::string(group));
  if (!segment) return std::nullopt;
  return GroupInspector(std::make_unique<Impl>(std::move(segment)));
}

View GroupInspector::view() const {
  const auto view = detail::Views(*impl_->segment).current();
  return view ? view->toPublic() : View{};
}

int GroupInspector::expected() const { return static_cast<int>(impl_->segment->geometry().expected); }

std::vector<SlotReport> GroupInspector::slots() const {
  const auto now = static_cast<std::uint64_t>(detail::Clock::now().time_since_epoch().count());
  std::vector<SlotReport> reports;
  for (std::uint32_t slot = 0; slot < impl_->segment->geometry().capacity; ++slot) {
    const detail::SlotTableState& table = impl_->segment->slot(slot);
    const auto word = detail::SlotWord::unpack(table.word.load(std::memory_order_acquire));
    if (word.incarnation == 0) continue;
    SlotReport report;
    report.member = {slot, word.incarnation};
    report.name = table.name;
    report.pid = static_cast<int>(table.pid);
    report.state = stateOf(word.phase);
    const std::uint64_t beatAt = std::min(now, table.beatAtNs.load());  // one to come is damage
    report.heartbeatAge = std::chrono::milliseconds((now - beatAt) / 1'000'000);
    report.sent = table.sent.load(std::memory_order_relaxed);
    report.received = table.received.load(std::memory_order_relaxed);
    // A slot in use has its block's memory; what others left may not be there any more.
    const detail::MailboxState& mailbox = impl_->segment->mailbox(slot);
    report.pending = mailbox.tail.load(std::memory_order_acquire) - mailbox.head.load(std::memory_order_acquire);
    reports.push_back(report);
  }
  return reports;
}

int removeStaleSegments() { return detail::removeDesertedSegments(); }

}  // namespace ronde
