#include "ipc/protocol/token_ring.hpp"

#include <algorithm>

namespace ronde::detail {
namespace {

/// Others change the word a few times at most while one of us looks at it; garbage written all the time, for ever.
constexpr int kTries = 10'000;

}  // namespace

TokenRing::Grant TokenRing::entered(const Grant& grant) {
  heldFence_.store(grant.fence, std::memory_order_seq_cst);
  return grant;
}

TokenRing::Grant TokenRing::request(const Deadline& deadline) {
  Grant grant;
  grant.status = context_.takeTurn(turn_, deadline);
  if (grant.status != Status::ok) return grant;
  if (tryEnter(grant)) return entered(grant);

  // Announced before the token is looked at again: whoever releases meanwhile sees the wish or leaves a reserve
  // that we see. SYNC: token-wants.
  wants(context_.self.slot).store(1, std::memory_order_seq_cst);
  const Status status = context_.wait(deadline, [&] { return tryEnter(grant); });
  wants(context_.self.slot).store(0, std::memory_order_seq_cst);
  if (status == Status::ok) return entered(grant);
  if (const auto handed = withdraw()) {
    // It came at the last moment.
    grant = handedToUs(*handed);
    entered(grant);
    if (status == Status::timeout) return grant;
    static_cast<void>(release(grant.fence));  // stopped: pass it on; this gives the turn back, too
    return {status, 0, 0, false};
  }
  turn_.giveBack();
  grant.status = status;
  return grant;
}

TokenRing::Grant TokenRing::tryRequest() {
  Grant grant;
  if (!turn_.tryTake()) return {Status::empty, 0, 0, false};
  if (tryEnter(grant)) {
    entered(grant);
    const Status standing = context_.standing();
    if (standing == Status::ok) return grant;
    // stop() in another thread may have looked for a held section just before.
    static_cast<void>(release(grant.fence));
    return {standing, 0, 0, false};
  }
  turn_.giveBack();
  const Status standing = context_.standing();
  return {standing == Status::ok ? Status::empty : standing, 0, 0, false};
}

TokenRing::Grant TokenRing::handedToUs(const Token& token) const {
  return {Status::ok, token.fence, context_.segment.slot(context_.self.slot).tokenFrom.load() - 1, true};
}

bool TokenRing::tryEnter(Grant& grant) {
  const std::uint32_t self = context_.self.slot + 1;
  for (int tries = 0; tries < kTries; ++tries) {
    std::uint64_t seen = word().load(std::memory_order_seq_cst);
    const Token token = Token::unpack(seen);
    if (token.held && token.holder != self) return false;
    // The standing is asked after the word was read: an eviction after this changes the word (repair number), so
    // that the CAS fails, or finds us as the holder and moves the token on. SYNC: token-repair.
    if (token.holder == 0 || token.fence >= Token::kMaxFence || context_.standing() != Status::ok) return false;
    if (token.held) {
      grant = handedToUs(token);
      return true;
    }
    const Token ours{token.fence + 1, token.repair, true, self};
    if (word().compare_exchange_strong(seen, ours.pack(), std::memory_order_seq_cst)) {
      grant = {Status::ok, ours.fence, token.holder - 1, false};
      return true;
    }
    // Perhaps only the repair number changed, by somebody who gave up waiting and wakes nobody: the token may
    // still be there, so look again before going to sleep (tests/models/token.pml, NO_RETRY).
  }
  return false;
}

std::optional<Token> TokenRing::withdraw() {
  // A member that releases now may have seen our wish already: changing the word makes its hand-over fail.
  for (int tries = 0; tries < kTries; ++tries) {
    std::uint64_t seen = word().load(std::memory_order_seq_cst);
    Token token = Token::unpack(seen);
    if (token.held && token.holder == context_.self.slot + 1) return token;
    ++token.repair;
    if (word().compare_exchange_strong(seen, token.pack(), std::memory_order_seq_cst)) return std::nullopt;
  }
  return std::nullopt;
}

bool TokenRing::lookAtRing() {
  if (ring_ && ring_->number == context_.views.number()) return true;
  ring_ = roster_.current();
  if (!ring_) return false;
  place_ = static_cast<std::size_t>(std::max(0, ring_->idOf(context_.self)));
  return true;
}

std::uint32_t TokenRing::successor(bool& wanting) const {
  const std::size_t size = ring_->members.size();
  for (std::size_t step = 1; step < size; ++step) {
    const std::size_t at = place_ + step;
    const Member next = ring_->memberAt(at < size ? at : at - size);
    if (wants(next.slot).load(std::memory_order_seq_cst) != 0 && context_.isActive(next)) {
      wanting = true;
      return next.slot;
    }
  }
  wanting = false;
  return size == 0 ? context_.self.slot : ring_->members[(place_ + 1) % size].slot;
}

TokenRing::Handover TokenRing::release(std::uint64_t fence) {
  std::uint64_t held = fence;
  // One of several callers (an explicit release, a guard, stop) gives it back.
  if (fence == 0 || !heldFence_.compare_exchange_strong(held, 0, std::memory_order_acq_rel)) {
    return {Status::empty, 0};
  }
  for (int tries = 0; tries < kTries; ++tries) {
    std::uint64_t seen = word().load(std::memory_order_seq_cst);
    const Token token = Token::unpack(seen);
    if (!token.held || token.holder != context_.self.slot + 1 || token.fence != fence) {
      turn_.giveBack();
      return {Status::evicted, 0};
    }
    const bool knowsRing = lookAtRing();
    bool wanting = false;
    const std::uint32_t next = knowsRing ? successor(wanting) : context_.self.slot;
    wanting = wanting && fence < Token::kMaxFence;  // the number does not begin again
    const Token passed{wanting ? fence + 1 : fence, token.repair, wanting, next + 1};
    Word& tokenFrom = context_.segment.slot(next).tokenFrom;
    if (tokenFrom.load(std::memory_order_relaxed) != context_.self.slot + 1) {
      tokenFrom.store(context_.self.slot + 1, std::memory_order_relaxed);
    }
    if (!word().compare_exchange_strong(seen, passed.pack(), std::memory_order_seq_cst)) continue;
    if (!knowsRing) {
      // The view is damaged: the token stays here in reserve, where whoever wants it finds it.
      context_.ringAll();
      turn_.giveBack();
      return {Status::segmentCorrupt, 0};
    }
    if (wanting) {
      context_.ring(next);
    } else {
      // Who announced its wish after our scan and saw the token held sleeps now. SYNC: token-wants.
      for (const ViewEntry& entry : ring_->members) {
        if (wants(entry.slot).load(std::memory_order_seq_cst) != 0) context_.ring(entry.slot);
      }
    }
    turn_.giveBack();
    return {Status::ok, next};
  }
  turn_.giveBack();
  return {Status::segmentCorrupt, 0};
}

bool TokenRing::onViewChange(const MemberContext& context, const ViewData& view) {
  if (view.members.empty()) return true;
  Word64& word = context.segment.control().token;
  for (int tries = 0; tries < kTries; ++tries) {
    std::uint64_t seen = word.load(std::memory_order_seq_cst);
    Token token = Token::unpack(seen);
    ++token.repair;
    const bool holderStays = std::any_of(view.members.begin(), view.members.end(), [&](const ViewEntry& entry) {
      return entry.slot + 1 == token.holder && context.isActive({entry.slot, entry.incarnation});
    });
    if (token.holder == 0) {
      token.holder = view.members.back().slot + 1;  // the last process starts the token (specification)
      token.held = false;
    } else if (!holderStays) {
      // To the ring successor of the one that is gone: the next in arrival order.
      const std::uint32_t gone = token.holder - 1;
      const std::uint64_t arrival =
          gone < context.segment.geometry().capacity ? context.segment.slot(gone).arrival : 0;
      const auto next = std::find_if(view.members.begin(), view.members.end(),
                                     [&](const ViewEntry& entry) { return entry.arrival > arrival; });
      token.holder = (next == view.members.end() ? view.members.front() : *next).slot + 1;
      token.held = false;
    }
    if (word.compare_exchange_strong(seen, token.pack(), std::memory_order_seq_cst)) return true;
  }
  return false;
}

}  // namespace ronde::detail
