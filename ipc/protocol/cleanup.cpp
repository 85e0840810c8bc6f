#include "ipc/protocol/cleanup.hpp"

#include <bitset>

#include "ipc/log.hpp"
#include "ipc/mailbox/outbox.hpp"
#include "ipc/protocol/barrier.hpp"
#include "ipc/protocol/token_ring.hpp"

namespace ronde::detail {
namespace {

using Slots = std::bitset<kMaxMembers>;

/// The view may change during a pass. Garbage that pretends so all the time must not keep a caller here.
constexpr int kPasses = 8;

template <class Visit>
void forEachDeparted(const Segment& segment, Visit visit) {
  for (std::uint32_t slot = 0; slot < segment.geometry().capacity; ++slot) {
    const auto word = SlotWord::unpack(segment.slot(slot).word.load(std::memory_order_seq_cst));
    if (word.phase == Phase::departed) visit(Member{slot, word.incarnation}, word);
  }
}

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

/// An evicted member that was stopped while it held a lock would go on writing under it whenever it resumes, so it
/// is killed. Who holds one and is not silent is about to release it; a dead holder's lock is taken over by
/// whoever needs it. False: look again.
bool isOffLocks(const MemberContext& context, Member departed, SlotWord word) {
  return !holdsAnyLock(context.segment, departed) || context.liveness.fence(departed.slot, word);
}

/// From here on the messages that a departed member had committed are the clean-up's to deliver, and none that it
/// may commit when it resumes.
void adoptBroadcasts(const MemberContext& context, std::uint32_t slot) {
  forEachBlock(context.segment, slot,
               [](const Block& block) { block.advance(BlockPhase::committed, BlockPhase::adopted); });
}

/// Hands the adopted messages of a departed member to every addressee that may not have them. Receivers recognise
/// what they have (Inbox). False if a mailbox had no room, or is one of those `unavailable`, whose lock was not to
/// be had in this pass; then it is tried again.
bool deliverAdopted(const MemberContext& context, Member departed, Slots& unavailable) {
  bool finished = true;
  forEachBlock(context.segment, departed.slot, [&](const Block& block) {
    if (block.phase() != BlockPhase::adopted) return;
    const auto bequest = bequestOf(context.segment, departed, block);
    bool handedOver = true;
    for (std::uint32_t slot = 0; slot < context.segment.geometry().capacity; ++slot) {
      if (!bequest) {
        block.settle(slot, Share::withdrawn);
        continue;
      }
      if (block.share(slot) != Share::owed || !wasMemberIn(context.segment, slot, bequest->envelope.view))
        continue;
      if (unavailable.test(slot)) {
        handedOver = false;
        continue;
      }
      const auto word = SlotWord::unpack(context.segment.slot(slot).word.load(std::memory_order_seq_cst));
      const Mailbox mailbox(context.segment, {slot, word.incarnation}, context.self, context.liveness);
      const PushResult result =
          mailbox.pushReference(bequest->envelope, block.position(), bequest->length, context.briefly());
      if (result == PushResult::noLock || result == PushResult::ownerStopped) unavailable.set(slot);
      if (result == PushResult::corrupt) block.settle(slot, Share::withdrawn);  // its mail is lost anyway
      // Refused because the addressee departed is as good as delivered; because we did, is not ours to say.
      const bool isDone =
          result == PushResult::pushed || result == PushResult::refused || result == PushResult::corrupt;
      handedOver = handedOver && isDone && context.isActive(context.self) && !context.liveness.isRetired();
    }
    if (handedOver) block.advance(BlockPhase::adopted, BlockPhase::handedOver);
    finished = finished && handedOver;
  });
  return finished;
}

void freeDepartedSlots(const MemberContext& context, const Registry& registry) {
  forEachDeparted(context.segment, [&](Member departed, SlotWord) {
    registry.reclaim(context, departed.slot, [&] { return isAnythingOwed(context.segment, departed.slot); });
  });
}

/// One pass, under the clean-up's lock. True if nothing is left to do for the view.
bool cleanUpAfter(const MemberContext& context, const ViewData& view, Slots& unavailable) {
  Word64& cleanedView = context.segment.control().cleanedView;
  bool allDelivered = true;
  std::uint64_t cleaned = cleanedView.load(std::memory_order_seq_cst);
  if (cleaned != view.number) {
    if (cleaned > view.number) cleaned = 0;  // no member writes that
    bool settled = TokenRing::onViewChange(context, view);
    settled = Barrier::onViewChange(context, view) && settled;
    forEachDeparted(context.segment, [&](Member departed, SlotWord word) {
      if (context.segment.slot(departed.slot).departedView.load() <= cleaned) return;
      if (word.departure == Departure::silent) settled = isOffLocks(context, departed, word) && settled;
      adoptBroadcasts(context, departed.slot);
    });
    // A full mailbox does not hold this up: what is adopted stays adopted until it is delivered.
    if (!settled || !context.isActive(context.self)) return false;
    cleanedView.store(view.number, std::memory_order_seq_cst);
  }
  forEachDeparted(context.segment, [&](Member departed, SlotWord) {
    allDelivered = deliverAdopted(context, departed, unavailable) && allDelivered;
  });
  return allDelivered;
}

/// Whatever is left to do after view changes, asked without a lock.
bool isWorkLeft(const MemberContext& context) {
  bool left = context.segment.control().cleanedView.load(std::memory_order_seq_cst) != context.views.number();
  forEachDeparted(context.segment, [&](Member departed, SlotWord) {
    forEachBlock(context.segment, departed.slot,
                 [&](const Block& block) { left = left || block.phase() == BlockPhase::adopted; });
  });
  return left;
}

}  // namespace

bool holdsAnyLock(const Segment& segment, Member member) {
  bool holding = false;
  forEachLock(segment, [&](const SlotLock& lock) { holding = holding || lock.isHeldBy(member); });
  return holding;
}

bool cleanUp(const MemberContext& context, const Registry& registry) {
  SlotLock& lock = context.segment.control().cleanupLock;
  bool finished = true;
  Slots unavailable;
  // Again if the view changed during a pass: who saw the lock taken meanwhile has left it to us.
  for (int pass = 0; finished && context.isActive(context.self) && isWorkLeft(context); ++pass) {
    if (pass == kPasses) return false;
    if (!holdsLock(lock.tryLock(context.self, context.liveness))) return false;
    {
      const SlotLockGuard guard(lock);
      const auto view = context.views.current();
      if (!view || !context.isActive(context.self)) return false;
      finished = cleanUpAfter(context, *view, unavailable);
    }
    context.ringAll();
  }
  if (context.isActive(context.self)) freeDepartedSlots(context, registry);
  return finished;
}

}  // namespace ronde::detail
