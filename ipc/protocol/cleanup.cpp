#include "ipc/protocol/cleanup.hpp"

#include "ipc/log.hpp"
#include "ipc/mailbox/outbox.hpp"
#include "ipc/protocol/barrier.hpp"
#include "ipc/protocol/token_ring.hpp"

namespace ronde::detail {
namespace {

constexpr std::chrono::milliseconds kLockLimit{20};

/// Calls `visit(lock)` for every lock of the segment but the clean-up's own, which its taker settles.
template <class Visit>
void forEachLock(const Segment& segment, Visit visit) {
  visit(segment.control().registryLock);
  visit(segment.control().barrier.lock);
  for (int cell = 0; cell < kCells; ++cell) visit(segment.cell(cell).lock);
  for (std::uint32_t slot = 0; slot < segment.geometry().capacity; ++slot) {
    // The blocks of slots that were never used have no memory, and no lock in use.
    const auto word = SlotWord::unpack(segment.slot(slot).word.load(std::memory_order_seq_cst));
    if (word.incarnation != 0) visit(segment.mailbox(slot).producers);
  }
}

/// After its slot word said departed, an evicted member takes no lock any more. One that it took before and still
/// holds would let it go on writing whenever it resumes, so it is killed. A dead holder's lock is taken over by
/// whoever needs it.
void fenceIfHolding(const MemberContext& context, Member departed) {
  forEachLock(context.segment, [&](const SlotLock& lock) {
    if (lock.isHeldBy(departed) && context.segment.silencePolicy() == SilencePolicy::evict) {
      context.liveness.fence(departed.slot);
    }
  });
}

/// Hands the committed messages of a departed member to every addressee that may not have them. Receivers
/// recognise what they have (Inbox). False if a mailbox had no room; then it is tried again.
bool finishBroadcasts(const MemberContext& context, Member departed) {
  bool finished = true;
  forEachBlock(context.segment, departed.slot, [&](const Block& block) {
    if (block.phase() != BlockPhase::committed) return;
    const BlockHeader& header = block.header();
    const Envelope envelope{departed, static_cast<Kind>(header.kind), header.stamp, header.view, header.sequence};
    bool handedOver = true;
    for (std::uint32_t slot = 0; slot < context.segment.geometry().capacity; ++slot) {
      if (block.share(slot) != Share::owed || !wasMemberIn(context.segment, slot, header.view)) continue;
      const auto word = SlotWord::unpack(context.segment.slot(slot).word.load(std::memory_order_seq_cst));
      const Mailbox mailbox(context.segment, {slot, word.incarnation}, context.self, context.liveness);
      const PushResult result =
          mailbox.pushReference(envelope, block.position(), header.length, Deadline::in(kLockLimit));
      // Refused because the addressee departed is as good as delivered; because we did, is not ours to say.
      handedOver = handedOver && (result == PushResult::pushed || result == PushResult::refused) &&
                   context.isActive(context.self);
    }
    if (handedOver) {
      block.setPhase(BlockPhase::handedOver);
    } else {
      finished = false;
    }
  });
  return finished;
}

void freeDepartedSlots(const MemberContext& context, const Registry& registry) {
  for (std::uint32_t slot = 0; slot < context.segment.geometry().capacity; ++slot) {
    const auto word = SlotWord::unpack(context.segment.slot(slot).word.load(std::memory_order_seq_cst));
    if (word.phase != Phase::departed) continue;
    registry.reclaim(context, slot, !isOwedAnything(context.segment, slot));
  }
}

}  // namespace

bool cleanUp(const MemberContext& context, const Registry& registry) {
  ControlState& control = context.segment.control();
  if (!context.isActive(context.self)) return true;
  if (control.cleanedView.load(std::memory_order_seq_cst) == context.views.number()) {
    freeDepartedSlots(context, registry);
    return true;
  }
  if (!holdsLock(control.cleanupLock.tryLock(context.self, context.liveness))) return false;
  bool finished = true;
  std::uint64_t number = 0;
  {
    const SlotLockGuard guard(control.cleanupLock);
    const auto view = context.views.current();
    if (!view || !context.isActive(context.self)) return false;
    number = view->number;
    const std::uint64_t cleaned = control.cleanedView.load(std::memory_order_seq_cst);
    TokenRing::onViewChange(context, *view);
    finished = Barrier::onViewChange(context, *view) && finished;
    for (std::uint32_t slot = 0; slot < context.segment.geometry().capacity; ++slot) {
      const auto word = SlotWord::unpack(context.segment.slot(slot).word.load(std::memory_order_seq_cst));
      if (word.phase != Phase::departed || context.segment.slot(slot).departedView.load() <= cleaned) continue;
      const Member departed{slot, word.incarnation};
      if (word.departure == Departure::silent) fenceIfHolding(context, departed);
      finished = finishBroadcasts(context, departed) && finished;
    }
    if (finished) control.cleanedView.store(number, std::memory_order_seq_cst);
  }
  context.ringAll();
  if (finished) freeDepartedSlots(context, registry);
  return finished;
}

}  // namespace ronde::detail
