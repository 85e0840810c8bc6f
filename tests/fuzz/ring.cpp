// A program of pushes, takes and patches on one mailbox and two outboxes. See README.md here.

#include <deque>

#include "tests/fuzz/ring_stage.hpp"
#include "tests/support/sinks.hpp"

namespace ronde::fuzz {
namespace {

using namespace detail;
using testing::atOnce;

/// A message that was reported as pushed and not yet taken.
struct Expected {
  Envelope envelope;
  std::size_t size = 0;
};

class Program {
 public:
  explicit Program(Input input) : input_(input), stage_(RingStage::get()) { stage_.reset(); }

  void run() {
    for (int steps = 0; !input_.isEmpty() && steps < kSteps; ++steps) step();
    drain();
    if (isPatched_) goesOn();
  }

 private:
  static constexpr int kSteps = 160;

  void step() {
    const auto operation = input_.take<std::uint8_t>();
    const std::uint32_t sender = input_.take<std::uint8_t>() % RingStage::kMembers;
    switch (operation % 12) {
      case 0:
      case 1: return pushWhole(sender);
      case 2: return pushTrain(sender);
      case 3:
      case 4: return pushReference(1 + sender % 2);
      case 5:
      case 6: takeOne({}); return;
      case 7: takeOne({false, stage_.member(sender), Kind::sendToSync}); return;
      case 8: return takeIntoTooSmall();
      case 9: return withdraw();
      case 10: return sender == 0 ? reopen() : look(sender);
      default: isPatched_ = true; return stage_.patchSomething(input_);
    }
  }

  [[nodiscard]] Envelope next(std::uint32_t sender, Kind kind) {
    return {stage_.member(sender), kind, 1000 + sequence_, 1, ++sequence_};
  }
  /// Bytes that tell which message they are of.
  [[nodiscard]] static std::byte contentOf(const Envelope& envelope) {
    return static_cast<std::byte>(envelope.sequence * 37 + 1);
  }
  [[nodiscard]] static std::vector<std::byte> payloadFor(const Envelope& envelope, std::size_t size) {
    return std::vector<std::byte>(size, contentOf(envelope));
  }
  void note(PushResult result, const Envelope& envelope, std::size_t size) {
    if (result == PushResult::pushed) expected_.push_back({envelope, size});
    if (isPatched_) return;
    require(result == PushResult::pushed || result == PushResult::full, "a push failed for no reason");
    require(result == PushResult::pushed || stage_.inbox().pending() > 0, "an empty mailbox is full");
  }

  void pushWhole(std::uint32_t sender) {
    static constexpr Kind kKinds[] = {Kind::sendTo, Kind::publish, Kind::sendToSync};
    const Envelope envelope = next(sender, kKinds[input_.take<std::uint8_t>() % 3]);
    const auto bytes = payloadFor(envelope, input_.below(kCarBytes + 1));
    note(stage_.mailboxFor(sender).pushWhole(envelope, bytes, atOnce()), envelope, bytes.size());
  }
  /// Perhaps not to its end, as one that finds no room in time.
  void pushTrain(std::uint32_t sender) {
    const Envelope envelope = next(sender, Kind::sendTo);
    const auto bytes = payloadFor(envelope, 1 + input_.below(stage_.segment().geometry().maxMessage));
    const std::size_t cut = 1 + input_.below(kCarBytes);
    std::size_t cars = 1 + input_.take<std::uint8_t>() % 8;
    for (std::size_t offset = 0; offset < bytes.size() && cars > 0; --cars) {
      const auto part = std::span(bytes).subspan(offset, std::min(cut, bytes.size() - offset));
      const TrainPart where{static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(offset), 0};
      const PushResult result = stage_.mailboxFor(sender).pushCar(envelope, part, where, atOnce());
      offset += part.size();
      if (result != PushResult::pushed || offset == bytes.size()) return note(result, envelope, bytes.size());
    }
  }
  void pushReference(std::uint32_t sender) {
    const bool isSync = input_.take<std::uint8_t>() % 2 == 0;
    const Envelope envelope = next(sender, isSync ? Kind::sendToSync : Kind::broadcast);
    const auto bytes = payloadFor(envelope, input_.below(stage_.segment().geometry().maxMessage + 1));
    const auto size = static_cast<std::uint32_t>(bytes.size());
    const auto block = stage_.outbox(sender).allocate(size);
    if (!block) return;
    const Member addressee = stage_.member(0);
    stage_.outbox(sender).commit(*block, envelope, bytes, {&addressee, 1});
    const Mailbox mailbox = stage_.mailboxFor(sender);
    const bool isCopied = isSync && size <= kCarBytes && input_.take<std::uint8_t>() % 2 == 0;
    const PushResult result = isCopied ? mailbox.pushCopy(envelope, block->position(), bytes, atOnce())
                                       : mailbox.pushReference(envelope, block->position(), size, atOnce());
    if (result != PushResult::pushed) block->settle(0, Share::withdrawn);
    Outbox::finish(*block);
    note(result, envelope, bytes.size());
    lastBlock_.emplace(*block);
    lastReference_ = envelope.sequence;
  }
  /// The sender of the last reference gives up. One side wins, and both know.
  void withdraw() {
    if (!lastBlock_ || !lastBlock_->settle(0, Share::withdrawn)) return;
    const auto found = std::find_if(expected_.begin(), expected_.end(),
                                    [&](const Expected& one) { return one.envelope.sequence == lastReference_; });
    require(isPatched_ || found != expected_.end(), "a message was withdrawn after it was taken");
    if (found != expected_.end()) expected_.erase(found);
  }

  /// What the receiver must find next.
  [[nodiscard]] auto firstOf(const Wanted& wanted) {
    return std::find_if(expected_.begin(), expected_.end(), [&](const Expected& one) {
      return wanted.anything || (one.envelope.sender == wanted.from && one.envelope.kind == wanted.kind);
    });
  }
  bool takeOne(const Wanted& wanted) {
    testing::ByteSink sink;
    Taken taken;
    const TakeStatus status = stage_.inbox().take(wanted, sink, taken);
    if (status != TakeStatus::taken) stage_.inbox().leave(sink);
    if (isPatched_) {
      require(taken.length <= stage_.segment().geometry().maxMessage, "a message longer than any");
      return status != TakeStatus::nothing;
    }
    require(status != TakeStatus::corrupt, "an intact mailbox is called corrupt");
    const auto first = firstOf(wanted);
    require((status == TakeStatus::taken) == (first != expected_.end()), "a message was lost, or made up");
    if (first == expected_.end()) return false;
    require(taken.envelope.sequence == first->envelope.sequence &&
                taken.envelope.sender == first->envelope.sender && taken.envelope.kind == first->envelope.kind &&
                taken.envelope.stamp == first->envelope.stamp,
            "another message came than the next one");
    require(taken.length == first->size && sink.content == payloadFor(first->envelope, first->size),
            "a message has another payload");
    expected_.erase(first);
    return true;
  }
  /// The message stays where it is.
  void takeIntoTooSmall() {
    testing::SmallSink sink(input_.take<std::uint8_t>());
    Taken taken;
    const auto first = firstOf({});
    const bool fits = first == expected_.end() || first->size <= sink.content.size();
    try {
      const TakeStatus status = stage_.inbox().take({}, sink, taken);
      if (status != TakeStatus::taken) return stage_.inbox().leave(sink);
      if (isPatched_) return;
      require(fits && first != expected_.end() && taken.envelope.sequence == first->envelope.sequence,
              "another message came into a small buffer");
      expected_.erase(first);
    } catch (const testing::SmallSink::TooSmall&) {
      stage_.inbox().leave(sink);
    }
  }
  void reopen() {
    stage_.reopenInbox();
    expected_.clear();
    lastBlock_.reset();
  }
  /// What the others look at now and then.
  void look(std::uint32_t sender) {
    const Mailbox mailbox = stage_.mailboxFor(sender);
    static_cast<void>(mailbox.looksHalfEmpty());
    static_cast<void>(mailbox.looksRoomy(CellForm::area, input_.below(kCarBytes + 1)));
    static_cast<void>(stage_.inbox().pending());
    static_cast<void>(stage_.outbox(1 + sender % 2).slotsInTheWay());
    std::size_t seen = 0;
    forEachBlock(stage_.segment(), sender, [&](const Block& block) {
      ++seen;
      static_cast<void>(payloadOf(stage_.segment(), sender, block));
    });
    require(seen <= kOutboxBlocks, "an endless outbox");
    static_cast<void>(isAnythingOwed(stage_.segment(), sender));
  }

  void drain() {
    for (int takes = 0; takeOne({}); ++takes) require(takes < 1000, "an endless mailbox");
    require(isPatched_ || expected_.empty(), "messages were lost");
  }
  /// Whatever was patched, the mailbox delivers again at the latest after as many messages as it has places. Not
  /// where the patches made somebody another member than it was.
  void goesOn() {
    for (std::uint32_t slot = 0; slot < RingStage::kMembers; ++slot) {
      const SlotWord intact{stage_.member(slot).incarnation, Phase::active, {}};
      if (stage_.segment().slot(slot).word.load() != intact.pack()) return;
    }
    for (int tries = 0; tries < 200; ++tries) {
      const Envelope envelope = next(1, Kind::sendTo);
      const auto bytes = payloadFor(envelope, 100);
      const PushResult result = stage_.mailboxFor(1).pushWhole(envelope, bytes, atOnce());
      testing::ByteSink sink;
      Taken taken;
      const TakeStatus status = stage_.inbox().take({}, sink, taken);
      if (result == PushResult::pushed && status == TakeStatus::taken && sink.content == bytes) return;
      if (status != TakeStatus::taken) stage_.inbox().leave(sink);
    }
    require(false, "the mailbox never works again");
  }

  Input input_;
  RingStage& stage_;
  std::deque<Expected> expected_;
  std::optional<Block> lastBlock_;
  std::uint64_t lastReference_ = 0;
  std::uint64_t sequence_ = 0;
  bool isPatched_ = false;
};

}  // namespace
}  // namespace ronde::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ronde::fuzz::Program(ronde::fuzz::Input(data, size)).run();
  return 0;
}
