#pragma once

#include "ipc/membership/context.hpp"
#include "ipc/membership/registry.hpp"

namespace ronde::detail {

/// Runs the clean-up of all view changes that were not cleaned yet, in this order: token, barrier, the departed's
/// locks (a living owner that was evicted is fenced), their unfinished broadcasts; then says so, wakes everybody,
/// and frees slots that nobody needs. Every step is idempotent: if a cleaner dies, the next begins anew. Any
/// member may call it at any time; one runs, the others go on. True if nothing is left to do.
bool cleanUp(const MemberContext& context, const Registry& registry);

/// True if a lock of the segment names `member`; the clean-up's own is not asked.
[[nodiscard]] bool holdsAnyLock(const Segment& segment, Member member);

}  // namespace ronde::detail
