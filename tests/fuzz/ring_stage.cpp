#include "tests/fuzz/ring_stage.hpp"

#include <unistd.h>

#include "ipc/segment/shm_file.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RONDE_FUZZ_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define RONDE_FUZZ_ASAN
#endif
#if defined(RONDE_FUZZ_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace ronde::fuzz {

using namespace detail;

namespace {

Options smallOptions() {
  Options options = testing::scratchOptions();
  options.capacity = 4;
  return options;
}

template <class T>
std::byte* bytesOf(T& object) {
  return reinterpret_cast<std::byte*>(&object);
}

}  // namespace

RingStage& RingStage::get() {
  static auto* const stage = new RingStage;
  return *stage;
}

RingStage::RingStage() : group_(static_cast<int>(kMembers), smallOptions()) {
  // The mapping is all that is needed; so nothing is left behind, however a run ends.
  unlink(segmentPath(segmentName(group_.options().group)).c_str());

  const Geometry& geometry = segment().geometry();
  state_.push_back({bytesOf(segment().slot(0)), geometry.capacity * sizeof(SlotTableState)});
  state_.push_back(
      {bytesOf(segment().mailbox(0)), sizeof(MailboxState) + geometry.mailboxMessages * sizeof(MailCell)});
  state_.push_back({bytesOf(segment().outbox(0)), sizeof(OutboxState)});
  for (std::uint32_t slot = 1; slot < kMembers; ++slot) {
    state_.push_back(
        {bytesOf(segment().outbox(slot)), sizeof(OutboxState) + kOutboxBlocks * geometry.outboxBlockBytes()});
  }
  for (const Stretch& one : state_) snapshot_.insert(snapshot_.end(), one.at, one.at + one.bytes);
  poison();
}

void RingStage::poison() const {
#if defined(RONDE_FUZZ_ASAN)
  // Before the slots: header, control, cells, views. Behind the mailbox: a member's own, unused outbox.
  std::byte* const slots = bytesOf(segment().slot(0));
  __asan_poison_memory_region(slots - Geometry::kSlotsAt, Geometry::kSlotsAt);
  const std::byte* const next = bytesOf(segment().mailbox(1));
  const std::byte* const blocks = segment().outboxBlock(0, 0);
  __asan_poison_memory_region(blocks, static_cast<std::size_t>(next - blocks));
  for (std::uint32_t slot = 1; slot < kMembers; ++slot) {
    std::byte* const mailbox = bytesOf(segment().mailbox(slot));
    __asan_poison_memory_region(mailbox, static_cast<std::size_t>(bytesOf(segment().outbox(slot)) - mailbox));
  }
  __asan_poison_memory_region(bytesOf(segment().mailbox(kMembers)), segment().geometry().blockBytes());
#endif
}

void RingStage::reset() {
  inbox_.reset();
  const std::byte* from = snapshot_.data();
  for (const Stretch& one : state_) {
    std::memcpy(one.at, from, one.bytes);
    from += one.bytes;
  }
  reopenInbox();
  for (std::uint32_t slot = 1; slot < kMembers; ++slot) outboxes_[slot].emplace(segment(), slot);
}

void RingStage::patchSomething(Input& input) {
  const std::uint32_t sender = 1 + input.take<std::uint8_t>() % 2;
  const std::uint64_t block = input.take<std::uint8_t>();
  const Geometry& geometry = segment().geometry();
  switch (input.take<std::uint8_t>() % 6) {
    case 0: return patch(input, bytesOf(segment().mailbox(0)), sizeof(MailboxState));
    case 1:
      return patch(input, bytesOf(segment().mailCells(0)[block % geometry.mailboxMessages]), sizeof(MailCell));
    case 2: return patch(input, segment().mailArea(0), geometry.mailboxBytes);
    case 3: return patch(input, bytesOf(segment().outbox(sender)), sizeof(OutboxState));
    case 4: return patch(input, segment().outboxBlock(sender, block), geometry.outboxBlockBytes());
    default: return patch(input, bytesOf(segment().slot(sender)), sizeof(SlotTableState));
  }
}

}  // namespace ronde::fuzz
