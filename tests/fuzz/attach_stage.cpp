#include "tests/fuzz/attach_stage.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "ipc/segment/shm_file.hpp"
#include "tests/support/mail.hpp"

namespace ronde::fuzz {

using namespace detail;

namespace {

Options smallOptions() {
  Options options = testing::scratchOptions();
  options.capacity = 4;
  return options;
}

}  // namespace

AttachStage& AttachStage::get() {
  static auto* const stage = new AttachStage;
  return *stage;
}

AttachStage::AttachStage() : options_(testing::scratchOptions()) {
  options_.capacity = 4;
  path_ = segmentPath(segmentName(options_.group));
  const testing::BareGroup group(2, smallOptions());
  testing::BareMember& receiver = group[kLivingSlot];
  const std::array<Member, 1> addressees{receiver.self};
  for (std::uint64_t sequence = 1; sequence <= 2; ++sequence) {
    static_cast<void>(testing::push(group[1], receiver, sequence, testing::Bytes(sequence * 400 - 399)));
  }
  const Block block = testing::commitBlock(group[1], 3, testing::bytesOf("to all"), addressees);
  static_cast<void>(testing::pushReference(group[1], receiver, 3, block));
  group.bury(group[1], receiver);

  const Segment& segment = group.segment();
  const auto* const base = reinterpret_cast<const std::byte*>(&segment.control()) - Geometry::kControlAt;
  imageLength_ = segment.geometry().segmentBytes();
  // Up to the end of what is not zero.
  std::size_t used = segment.geometry().blockAt(2);
  while (used > 0 && base[used - 1] == std::byte{0}) --used;
  image_.assign(base, base + used);
}

void AttachStage::publish(std::span<const std::byte> bytes, std::uint64_t length) {
  file_ = Descriptor(open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  require(file_.get() >= 0, "the file cannot be made");
  require(ftruncate(file_.get(), static_cast<off_t>(length)) == 0, "the file cannot be sized");
  // Pages of zeroes stay holes: the file costs what is in it.
  for (std::size_t at = 0; at < bytes.size(); at += kPage) {
    const auto page = bytes.subspan(at, std::min(kPage, bytes.size() - at));
    if (std::all_of(page.begin(), page.end(), [](std::byte one) { return one == std::byte{0}; })) continue;
    require(
        pwrite(file_.get(), page.data(), page.size(), static_cast<off_t>(at)) == static_cast<ssize_t>(page.size()),
        "the file cannot be written");
  }
  // The signs of life of the living member: without them nobody would join, but take the name over.
  require(setFileLock(file_.get(), kMembersByte, FileLock::shared) &&
              setFileLock(file_.get(), slotByte(kLivingSlot), FileLock::exclusive),
          "the file cannot be locked");
}

void AttachStage::unpublish() {
  unlink(path_.c_str());
  file_ = Descriptor();
}

}  // namespace ronde::fuzz
