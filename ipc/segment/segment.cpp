#include "ipc/segment/segment.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <map>
#include <optional>
#include <thread>
#include <tuple>

#include "ipc/failure.hpp"
#include "ipc/log.hpp"
#include "ipc/segment/fork_guard.hpp"
#include "ipc/segment/shm_file.hpp"

namespace ronde::detail {

namespace bip = boost::interprocess;

/// The mapped bytes. Not inherited by forked children: a stray write there ends the child instead of the group.
class Mapping {
 public:
  Mapping(const bip::shared_memory_object& file, bip::mode_t mode) try : region_(file, mode) {
    madvise(region_.get_address(), region_.get_size(), MADV_DONTFORK);
  } catch (const bip::interprocess_exception& failure) {
    throwSystem("mapping the segment", failure.get_native_error(),
                "memory or RLIMIT_AS (ulimit -v) may be exhausted");
  }
  [[nodiscard]] std::byte* base() const { return static_cast<std::byte*>(region_.get_address()); }

 private:
  bip::mapped_region region_;
};

struct Segment::File {
  /// Under the ForkPause in which it was opened.
  explicit File(bip::shared_memory_object opened) : object_(std::move(opened)) { closeInForkedChild(fd()); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    const ForkPause pause;
    forgetForkedChild(fd());
    object_.reset();
  }
  [[nodiscard]] const bip::shared_memory_object& object() const { return *object_; }
  [[nodiscard]] int fd() const { return object_->get_mapping_handle().handle; }

 private:
  std::optional<bip::shared_memory_object> object_;
};

namespace {

constexpr std::chrono::microseconds kRetryPause{200};
constexpr std::chrono::milliseconds kCourtesy{500};

/// One mapping per file and process. A forked child makes its own: it has not inherited its parent's. Under a
/// ForkPause.
std::shared_ptr<Mapping> sharedMapping(const bip::shared_memory_object& file) {
  using Key = std::tuple<std::uint64_t, dev_t, ino_t>;
  static auto* const mappings = new std::map<Key, std::weak_ptr<Mapping>>;
  struct stat info {};
  fstat(file.get_mapping_handle().handle, &info);
  std::erase_if(*mappings, [](const auto& entry) { return entry.second.expired(); });
  auto& known = (*mappings)[{forkGeneration(), info.st_dev, info.st_ino}];
  auto mapping = known.lock();
  if (!mapping) known = mapping = std::make_shared<Mapping>(file, bip::read_write);
  return mapping;
}

/// Opens by name; nothing if the name does not exist.
std::optional<bip::shared_memory_object> openObject(const std::string& name, bip::mode_t mode) {
  // Before it is opened: to open a FIFO for reading would wait for a writer.
  refuseIrregular(segmentPath(name));
  try {
    return bip::shared_memory_object(bip::open_only, name.c_str(), mode);
  } catch (const bip::interprocess_exception& failure) {
    const int code = failure.get_native_error();
    if (code == ENOENT) return std::nullopt;
    if (code == ELOOP || code == EISDIR || code == EACCES || code == EPERM || code == ENXIO) {
      throw Error(Errc::refusedSegment, segmentPath(name) + " is not a segment of this user (" +
                                            std::strerror(code) +
                                            "), so it is not touched; choose another group name or remove it");
    }
    throwSystem("opening " + segmentPath(name), code);
  }
}

/// A file that we created: keeps it locked until the member's own descriptor does. If it comes to no member, the
/// name goes.
class Creation {
 public:
  Creation(Descriptor file, const std::string& path) : file_(std::move(file)), path_(path) {}
  Creation(const Creation&) = delete;
  Creation& operator=(const Creation&) = delete;
  ~Creation() {
    static_cast<void>(setFileLock(file_.get(), kMembersByte, FileLock::none));
    removeIfDeserted(file_.get(), path_);
  }

 private:
  Descriptor file_;
  const std::string& path_;
};

void refuseUnknown(const std::string& path) {
  throw Error(Errc::refusedSegment,
              path + " is not a ronde segment, so it is not touched; choose another group name or remove it");
}

}  // namespace

std::unique_ptr<Segment> Segment::joinOrCreate(const Options& options, const Deadline& deadline) {
  // Each try ends in a joined segment, or in a reason to look at the name again.
  for (const Deadline courtesy = Deadline::in(kCourtesy);;) {
    if (auto segment = tryJoinOrCreate(options, !courtesy.passed())) return segment;
    if (deadline.passed()) {
      throw Error(Errc::registrationTimeout,
                  segmentPath(segmentName(options.group)) + " kept changing until the deadline; try again");
    }
    std::this_thread::sleep_for(kRetryPause);
  }
}

std::unique_ptr<Segment> Segment::tryJoinOrCreate(const Options& options, bool patient) {
  const ForkPause pause;
  const std::string name = segmentName(options.group);
  const std::string path = segmentPath(name);
  auto object = openObject(name, bip::read_write);
  std::optional<Creation> creation;
  if (!object) {
    Descriptor created = createSegmentFile(options, patient);
    if (created.get() < 0) return nullptr;
    creation.emplace(std::move(created), path);
    log::info("created {}", path);
    object = openObject(name, bip::read_write);
    if (!object) return nullptr;
  }
  auto file = std::make_unique<File>(std::move(*object));
  refuseForeign(file->fd(), path);
  const auto header = readHeader(file->fd(), path);
  if (!header) refuseUnknown(path);
  if (removeIfDeserted(file->fd(), path)) {
    log::info("took over {}, in which nobody lived", path);
    return nullptr;
  }
  if (!setFileLock(file->fd(), kMembersByte, FileLock::shared)) {
    // Anything else than somebody else's lock will be no better at the next try.
    if (errno != EAGAIN && errno != EACCES) throwSystem("locking the segment " + path, errno);
    return nullptr;
  }
  if (!namesFile(path, file->fd())) return nullptr;
  if (!sameLayout(*header)) {
    throw Error(Errc::incompatibleSegment,
                "group '" + options.group + "' is in use by another version of ronde (layout " +
                    std::to_string(header->layoutVersion) + ", ours " + std::to_string(kLayoutVersion) +
                    ", or another build); stop its members or choose another group name");
  }
  auto mapping = sharedMapping(file->object());
  return std::unique_ptr<Segment>(new Segment(std::move(file), std::move(mapping), *header, path, false));
}

Segment::Segment(std::unique_ptr<File> file, std::shared_ptr<Mapping> mapping, const SegmentHeader& header,
                 const std::string& path, bool readOnly)
    : file_(std::move(file)),
      mapping_(std::move(mapping)),
      base_(mapping_->base()),
      path_(path),
      geometry_(Geometry::of(header)),
      blocksAt_(geometry_.blocksAt()),
      blockBytes_(geometry_.blockBytes()),
      heartbeatInterval_(header.heartbeatIntervalNs),
      heartbeatTimeout_(header.heartbeatTimeoutNs),
      silencePolicy_(static_cast<SilencePolicy>(header.silencePolicy)),
      readOnly_(readOnly) {}

std::unique_ptr<Segment> Segment::openForReading(const std::string& group) {
  const ForkPause pause;
  const std::string name = segmentName(group);
  const std::string path = segmentPath(name);
  auto object = openObject(name, bip::read_only);
  if (!object) return nullptr;
  auto file = std::make_unique<File>(std::move(*object));
  refuseForeign(file->fd(), path);
  const auto header = readHeader(file->fd(), path);
  if (!header) refuseUnknown(path);
  if (!sameLayout(*header)) {
    throw Error(Errc::incompatibleSegment, "group '" + group + "' belongs to another version or build of ronde");
  }
  auto mapping = std::make_shared<Mapping>(file->object(), bip::read_only);
  return std::unique_ptr<Segment>(new Segment(std::move(file), std::move(mapping), *header, path, true));
}

Segment::~Segment() { leave(); }

bool Segment::claimSlot(std::uint32_t slot) const {
  return setFileLock(file_->fd(), slotByte(slot), FileLock::exclusive);
}

void Segment::releaseSlot(std::uint32_t slot) const {
  static_cast<void>(setFileLock(file_->fd(), slotByte(slot), FileLock::none));
}

bool Segment::isSlotClaimed(std::uint32_t slot) const { return isFileLocked(file_->fd(), slotByte(slot)); }

bool Segment::isSlotOfAnother(std::uint32_t slot, std::uint32_t pid) const {
  return lacksFileLock(pid, file_->fd(), slotByte(slot));
}

void Segment::reserveBlock(std::uint32_t slot) const { detail::reserveBlock(file_->fd(), geometry_, slot); }

bool Segment::isNamed() const { return namesFile(path_, file_->fd()); }

bool Segment::abandonName() const { return unlinkIfNamed(file_->fd(), path_); }

void Segment::leave() {
  if (readOnly_ || left_) return;
  left_ = true;
  // First down, then look: of several that leave at once, the last one to look finds nobody.
  static_cast<void>(setFileLock(file_->fd(), kMembersByte, FileLock::none));
  removeIfDeserted(file_->fd(), path_);
}

}  // namespace ronde::detail
