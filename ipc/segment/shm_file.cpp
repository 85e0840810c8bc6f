#include "ipc/segment/shm_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "ipc/failure.hpp"
#include "ipc/segment/fork_guard.hpp"

namespace ronde::detail {
namespace {

constexpr const char* kDirectory = "/dev/shm";

std::string namePrefix() { return "ronde." + std::to_string(geteuid()) + "."; }

[[noreturn]] void throwNoSpace(std::uint64_t needed, const char* what) {
  struct statvfs fs {};
  statvfs(kDirectory, &fs);
  throw Error(Errc::noSpace, std::string(what) + " needs " + std::to_string(needed) + " bytes in " + kDirectory +
                                 ", which has " + std::to_string(std::uint64_t{fs.f_bavail} * fs.f_frsize) +
                                 " free; make it larger (mount -o remount,size=..., docker --shm-size) or lower "
                                 "Options::maxMessage, mailboxBytes, mailboxMessages or expected");
}

void refuseBeyondFileLimit(std::uint64_t needed) {
  rlimit limit{};
  // Growing a file beyond the limit raises SIGXFSZ, which ends the process.
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && needed > limit.rlim_cur) {
    throw Error(Errc::noSpace, "the segment needs a file of " + std::to_string(needed) +
                                   " bytes and RLIMIT_FSIZE allows " + std::to_string(limit.rlim_cur) +
                                   "; raise it (ulimit -f)");
  }
}

void reserve(int fd, std::uint64_t from, std::uint64_t bytes, const char* what) {
  int result = 0;
  do {
    result = posix_fallocate(fd, static_cast<off_t>(from), static_cast<off_t>(bytes));
  } while (result == EINTR);
  if (result == ENOSPC || result == ENOMEM) throwNoSpace(bytes, what);
  if (result != 0) throwSystem("reserving memory in /dev/shm", result);
}

SegmentHeader describe(const Options& options) {
  SegmentHeader header{};
  header.magic = kMagic;
  header.layoutVersion = kLayoutVersion;
  header.headerBytes = sizeof(SegmentHeader);
  header.fingerprint = layoutFingerprint();
  header.expected = static_cast<std::uint32_t>(options.expected);
  header.capacity = static_cast<std::uint32_t>(
      options.capacity > 0 ? options.capacity : std::min(kMaxMembers, std::max(16, 2 * options.expected)));
  header.mailboxMessages = static_cast<std::uint32_t>(options.mailboxMessages);
  header.mailboxBytes = std::bit_ceil(options.mailboxBytes);
  header.maxMessage = options.maxMessage;
  header.silencePolicy = static_cast<std::uint32_t>(options.onSilent);
  header.heartbeatIntervalNs =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(options.heartbeatInterval).count());
  header.heartbeatTimeoutNs =
      static_cast<std::uint64_t>(std::chrono::nanoseconds(options.heartbeatTimeout).count());
  header.creatorPid = static_cast<std::uint32_t>(getpid());
  header.creatorUid = geteuid();
  header.group = ShortName(options.group);

  header.outboxBytes = std::max<std::uint64_t>(64 * 1024, std::bit_ceil(options.maxMessage));
  header.segmentBytes = Geometry::of(header).segmentBytes();
  header.checksum = checksum(&header, offsetof(SegmentHeader, checksum));
  return header;
}

}  // namespace

std::string segmentName(std::string_view group) { return namePrefix() + std::string(group); }

std::string segmentPath(std::string_view name) { return std::string(kDirectory) + "/" + std::string(name); }

Descriptor createSegmentFile(const Options& options, bool patient) {
  const SegmentHeader header = describe(options);
  const Geometry geometry = Geometry::of(header);
  refuseBeyondFileLimit(header.segmentBytes);

  const std::string path = segmentPath(segmentName(options.group));
  // The kernel ends this lock with its holder.
  const Descriptor directory(open(kDirectory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0 && flock(directory.get(), LOCK_EX | LOCK_NB) != 0 && patient) return {};
  if (access(path.c_str(), F_OK) == 0) return {};
  removeDesertedSegments();  // what dead groups left may be the room that is missing
  Descriptor file(open(kDirectory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.get() < 0) {
    throwSystem(std::string("creating a file in ") + kDirectory, errno,
                "a tmpfs writable for this user must be mounted there");
  }
  if (ftruncate(file.get(), static_cast<off_t>(header.segmentBytes)) != 0)
    throwSystem("sizing the segment", errno);
  reserve(file.get(), 0, geometry.blockAt(header.expected), "creating the group");
  // tmpfs gives zeroes, and all zeroes is the valid first state of every structure but the header.
  if (pwrite(file.get(), &header, sizeof(header), 0) != static_cast<ssize_t>(sizeof(header)) ||
      fchmod(file.get(), 0600) != 0) {
    throwSystem("writing the segment's header", errno);
  }
  if (!setFileLock(file.get(), kMembersByte, FileLock::shared)) throwSystem("locking the segment", errno);

  const std::string self = "/proc/self/fd/" + std::to_string(file.get());
  if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0) {
    if (errno == EEXIST) return {};
    throwSystem("naming the segment " + path, errno, "/proc must be mounted and /dev/shm writable");
  }
  return file;
}

void reserveBlock(int fd, const Geometry& geometry, std::uint32_t slot) {
  reserve(fd, geometry.blockAt(slot), geometry.blockBytes(), "joining the group");
}

namespace {

[[noreturn]] void refusePath(const std::string& path, const char* fault) {
  throw Error(Errc::refusedSegment,
              path + " " + fault + ", so it is not used and not touched; choose another group name or remove it");
}

}  // namespace

void refuseIrregular(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) refusePath(path, "is not a regular file");
}

void refuseForeign(int fd, const std::string& path) {
  struct stat info {};
  if (fstat(fd, &info) != 0) throwSystem("looking at " + path, errno);
  if (!S_ISREG(info.st_mode)) refusePath(path, "is not a regular file");
  if (info.st_uid != geteuid()) refusePath(path, "belongs to another user");
  if ((info.st_mode & 077) != 0) refusePath(path, "is open to other users (mode must be 0600)");
}

namespace {

/// The sizes that Options allow: so no sum in Geometry wraps round to a length that the file happens to have, and
/// every structure is aligned.
bool sizesAreInRange(const SegmentHeader& header) {
  constexpr std::uint64_t kLeast = 64 << 10;
  constexpr std::uint64_t kMiB = 1 << 20;
  return header.capacity >= 1 && header.capacity <= kMaxMembers && header.expected >= 1 &&
         header.expected <= header.capacity && header.mailboxMessages >= 64 && header.mailboxMessages <= 65536 &&
         header.mailboxBytes >= kLeast && header.mailboxBytes <= 1024 * kMiB && header.outboxBytes >= kLeast &&
         header.outboxBytes <= 256 * kMiB && header.maxMessage <= header.outboxBytes;
}

}  // namespace

std::optional<SegmentHeader> readHeader(int fd, const std::string& path) {
  SegmentHeader header{};
  if (pread(fd, &header, sizeof(header), 0) != static_cast<ssize_t>(sizeof(header)) || header.magic != kMagic) {
    return std::nullopt;
  }
  if (!sameLayout(header)) return header;
  struct stat info {};
  fstat(fd, &info);
  const bool intact = header.checksum == checksum(&header, offsetof(SegmentHeader, checksum)) &&
                      header.headerBytes == sizeof(SegmentHeader) && sizesAreInRange(header) &&
                      std::has_single_bit(header.mailboxBytes) && std::has_single_bit(header.outboxBytes) &&
                      std::has_single_bit(header.mailboxMessages) &&
                      header.segmentBytes == Geometry::of(header).segmentBytes() &&
                      static_cast<std::uint64_t>(info.st_size) == header.segmentBytes;
  if (!intact) {
    throw Error(Errc::corruptSegment, path + " is damaged (header or size); stop its members and remove it");
  }
  return header;
}

bool sameLayout(const SegmentHeader& header) noexcept {
  return header.layoutVersion == kLayoutVersion && header.fingerprint == layoutFingerprint();
}

bool namesFile(const std::string& path, int fd) noexcept {
  struct stat byName {};
  struct stat byFd {};
  return lstat(path.c_str(), &byName) == 0 && fstat(fd, &byFd) == 0 && byName.st_dev == byFd.st_dev &&
         byName.st_ino == byFd.st_ino;
}

bool setFileLock(int fd, long byte, FileLock kind) noexcept {
  struct flock request {};
  request.l_type = kind == FileLock::none ? F_UNLCK : kind == FileLock::shared ? F_RDLCK : F_WRLCK;
  request.l_whence = SEEK_SET;
  request.l_start = byte;
  request.l_len = 1;
  return fcntl(fd, F_OFD_SETLK, &request) == 0;
}

bool isFileLocked(int fd, long byte) noexcept {
  struct flock request {};
  request.l_type = F_WRLCK;
  request.l_whence = SEEK_SET;
  request.l_start = byte;
  request.l_len = 1;
  // An error tells nothing: say locked, so that nobody is declared dead by it.
  return fcntl(fd, F_OFD_GETLK, &request) != 0 || request.l_type != F_UNLCK;
}

bool lacksFileLock(std::uint32_t pid, int fd, long byte) noexcept try {
  struct stat file {};
  if (fstat(fd, &file) != 0) return false;
  bool sawAny = false;
  for (const auto& descriptor : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fdinfo")) {
    std::ifstream info(descriptor.path());
    if (!info) {
      if (!std::filesystem::exists(descriptor.path())) continue;  // closed meanwhile
      return false;
    }
    sawAny = true;
    for (std::string line; std::getline(info, line);) {
      std::array<char, 16> kind{};
      unsigned major = 0;
      unsigned minor = 0;
      unsigned long inode = 0;
      long first = 0;
      long last = 0;
      // lock:  1: OFDLCK ADVISORY  WRITE -1 00:1a:1234 16 16
      const int fields = std::sscanf(line.c_str(), "lock: %*d: OFDLCK %*s %15s %*d %x:%x:%lu %ld %ld", kind.data(),
                                     &major, &minor, &inode, &first, &last);
      if (fields == 6 && std::string_view(kind.data()) == "WRITE" && makedev(major, minor) == file.st_dev &&
          inode == file.st_ino && first == byte && last == byte) {
        return false;
      }
    }
    if (info.bad()) return false;
  }
  return sawAny;
} catch (const std::exception&) {  // not to be read, or no memory
  return false;
}

bool unlinkIfNamed(int fd, const std::string& path) noexcept {
  if (!setFileLock(fd, kNameByte, FileLock::exclusive)) return false;  // somebody else is at it
  // While we hold the byte, nobody else unlinks this file's name, and nobody can link another one over it.
  const bool removed = namesFile(path, fd) && unlink(path.c_str()) == 0;
  static_cast<void>(setFileLock(fd, kNameByte, FileLock::none));
  return removed;
}

bool removeIfDeserted(int fd, const std::string& path) noexcept {
  if (!setFileLock(fd, kMembersByte, FileLock::exclusive)) return false;
  const bool removed = unlinkIfNamed(fd, path);
  static_cast<void>(setFileLock(fd, kMembersByte, FileLock::none));
  return removed;
}

namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { closedir(directory); }
};

}  // namespace

int removeDesertedSegments() {
  const ForkPause pause;  // a child that inherited a descriptor below would keep its lock
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(kDirectory));
  if (!directory) return 0;
  const std::string prefix = namePrefix();
  int removed = 0;
  while (const dirent* entry = readdir(directory.get())) {
    if (std::strncmp(entry->d_name, prefix.c_str(), prefix.size()) != 0) continue;
    const std::string path = segmentPath(entry->d_name);
    const Descriptor file(open(path.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) continue;
    try {
      refuseForeign(file.get(), path);
      if (readHeader(file.get(), path) && removeIfDeserted(file.get(), path)) ++removed;
    } catch (const Error&) {
      // Not ours to touch.
    }
  }
  return removed;
}

}  // namespace ronde::detail
