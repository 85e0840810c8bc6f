// A damaged segment's file, and the library's ways into it: the inspector and a newcomer. See README.md here.

#include <algorithm>
#include <ronde/error.hpp>
#include <ronde/inspect.hpp>

#include "tests/fuzz/attach_stage.hpp"
#include "tests/support/mail.hpp"

namespace ronde::fuzz {
namespace {

using namespace detail;
using testing::atOnce;

/// Larger ones cost memory, and show nothing that a small one does not.
constexpr std::uint64_t kMaxFileBytes = 4 << 20;

enum class Shape : std::uint8_t {
  patched,   ///< the valid file with words of it changed
  reheaded,  ///< the same, and then its header's checksum and the file's length are made right again
  raw,       ///< the input is the file
  kShapes
};

void publishRaw(const Input& input, AttachStage& stage) {
  stage.publish(std::as_bytes(input.rest()), input.rest().size());
}

/// In the structures that a newcomer looks at.
void patchSomewhere(Input& input, std::span<std::byte> image) {
  struct Part {
    std::size_t at;
    std::size_t bytes;
  };
  static const Geometry kGeometry{4, 2, 64, 64 * 1024, 64 * 1024, 64 * 1024};
  static const std::size_t kMailbox = kGeometry.blockAt(0);
  static const std::size_t kOutbox =
      kGeometry.blockAt(1) + sizeof(MailboxState) + 64 * sizeof(MailCell) + kGeometry.mailboxBytes;
  const Part parts[] = {
      {0, sizeof(SegmentHeader)},
      {Geometry::kControlAt, offsetof(ControlState, wants) + 8},
      {Geometry::kControlAt + offsetof(ControlState, barrier), sizeof(BarrierState)},
      {Geometry::kCellsAt, 2 * sizeof(CellState)},
      {Geometry::kViewsAt, 3 * sizeof(ViewState)},
      {Geometry::kSlotsAt, 4 * sizeof(SlotTableState)},
      {kMailbox, sizeof(MailboxState) + 4 * sizeof(MailCell)},
      {kOutbox, sizeof(OutboxState) + 2 * kGeometry.outboxBlockBytes()},  // of the departed
  };
  const Part& part = parts[input.take<std::uint8_t>() % std::size(parts)];
  const std::size_t at = std::min(part.at, image.size() - 8);
  patch(input, image.data() + at, std::max<std::size_t>(8, std::min(part.bytes, image.size() - at)));
}

bool publishPatched(Input& input, bool rehead, AttachStage& stage) {
  std::vector<std::byte> image = stage.image();
  for (int patches = 0; !input.isEmpty() && patches < 100; ++patches) patchSomewhere(input, image);
  std::uint64_t length = stage.imageLength();
  if (rehead) {
    SegmentHeader header;
    std::memcpy(&header, image.data(), sizeof(header));
    header.magic = kMagic;
    header.layoutVersion = kLayoutVersion;
    header.headerBytes = sizeof(SegmentHeader);
    header.fingerprint = layoutFingerprint();
    length = header.segmentBytes = Geometry::of(header).segmentBytes();
    header.checksum = checksum(&header, offsetof(SegmentHeader, checksum));
    if (length > kMaxFileBytes) return false;
    std::memcpy(image.data(), &header, sizeof(header));
    image.resize(std::min<std::size_t>(image.size(), length));
  }
  stage.publish(image, length);
  return true;
}

void inspect(const std::string& group) {
  const auto inspector = GroupInspector::open(group);
  if (!inspector) return;
  static_cast<void>(inspector->expected());
  const View view = inspector->view();
  for (const auto& member : view.members) static_cast<void>(member.name.view().size());
  for (const auto& member : view.departed)
    static_cast<void>(member.name.view().size() + toString(member.reason).size());
  for (const SlotReport& slot : inspector->slots()) static_cast<void>(slot.name.view().size());
}

void join(const Options& options) {
  testing::BareMember newcomer(options, "newcomer", atOnce());
  if (newcomer.admit(atOnce()) != Admission::admitted) return;
  static_cast<void>(cleanUp(newcomer.context, newcomer.registry));
  if (const auto view = newcomer.roster.current()) {
    newcomer.roster.adopt(*view);
    for (std::size_t id = 0; id < view->members.size(); ++id) {
      const Mailbox mailbox(*newcomer.segment, view->memberAt(id), newcomer.self, newcomer.liveness);
      const Envelope envelope = testing::envelopeOf(newcomer.self, 1);
      static_cast<void>(mailbox.pushWhole(envelope, testing::bytesOf("a message of a newcomer"), atOnce()));
    }
    static_cast<void>(testing::take(newcomer));
  }
  const Leaving self{newcomer.self, Departure::left};
  static_cast<void>(newcomer.registry.remove(newcomer.context, {&self, 1}, atOnce()));
}

}  // namespace
}  // namespace ronde::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ronde::fuzz;
  AttachStage& stage = AttachStage::get();
  Input input(data, size);
  const auto shape = static_cast<Shape>(input.take<std::uint8_t>() % static_cast<unsigned>(Shape::kShapes));
  if (shape == Shape::raw) {
    publishRaw(input, stage);
  } else if (!publishPatched(input, shape == Shape::reheaded, stage)) {
    return 0;
  }
  try {
    inspect(stage.options().group);
  } catch (const ronde::Error&) {
    // A named refusal is what damage may cost.
  }
  try {
    join(stage.options());
  } catch (const ronde::Error&) {
  } catch (const std::bad_optional_access&) {
    // No slot: everybody in the group is dead.
  }
  stage.unpublish();
  return 0;
}
