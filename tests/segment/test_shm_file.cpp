#include "ipc/segment/shm_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <functional>
#include <ronde/error.hpp>
#include <thread>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/every_instruction.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/random.hpp"
#include "tests/support/scratch_file.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

std::string pathOf(const Options& options) { return segmentPath(segmentName(options.group)); }

/// As Segment::joinOrCreate does: tries until somebody has made the file. Returns the descriptor of the winner.
int createOrSee(const Options& options, bool patient) {
  for (;;) {
    const int fd = createSegmentFile(options, patient).release();
    if (fd >= 0 || access(pathOf(options).c_str(), F_OK) == 0) return fd;
  }
}

SegmentHeader headerOf(const ScratchFile& file) {
  SegmentHeader header{};
  static_cast<void>(!pread(file.fd(), &header, sizeof(header), 0));
  return header;
}

void seal(const ScratchFile& file, SegmentHeader header) {
  header.checksum = checksum(&header, offsetof(SegmentHeader, checksum));
  static_cast<void>(!pwrite(file.fd(), &header, sizeof(header), 0));
}

}  // namespace

TEST_CASE("segment file: it is created complete and private and all zero but for its header", "[segment]") {
  const Options options = scratchOptions(3);
  const ScratchFile file(pathOf(options), createSegmentFile(options, false).release());
  REQUIRE(file.fd() >= 0);
  CHECK(createSegmentFile(options, true).get() == -1);
  CHECK(createSegmentFile(options, false).get() == -1);

  struct stat info {};
  REQUIRE(fstat(file.fd(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);  // P8
  CHECK(namesFile(file.path(), file.fd()));
  const auto header = readHeader(file.fd(), file.path());
  REQUIRE(header);
  CHECK(sameLayout(*header));
  CHECK(header->expected == 3);
  CHECK(header->capacity == 16);
  CHECK(header->group.view() == options.group);
  CHECK(header->creatorPid == static_cast<std::uint32_t>(getpid()));
  CHECK(static_cast<std::uint64_t>(info.st_size) == Geometry::of(*header).segmentBytes());

  // The founders' blocks are reserved, the others cost nothing yet.
  const Geometry geometry = Geometry::of(*header);
  const auto reserved = static_cast<std::uint64_t>(info.st_blocks) * 512;
  CHECK(reserved >= geometry.blockAt(3));
  CHECK(reserved < geometry.blockAt(4));
  std::vector<char> bytes(geometry.blockAt(3));
  REQUIRE(pread(file.fd(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  CHECK(std::all_of(bytes.begin() + sizeof(SegmentHeader), bytes.end(), [](char byte) { return byte == 0; }));
}

// P2, P7: who opens it by its name needs not wait for anybody, and a death leaves a whole one or none.
TEST_CASE("segment file: at every instruction of its creation it has no name or is complete", "[segment]") {
  const Options options = scratchOptions(2);
  const std::string path = pathOf(options);
  int faults = 0;
  long named = 0;
  int created = -1;
  // Without an allocation: the creation may be in the middle of one.
  const auto look = [&] {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ++named;
    SegmentHeader header{};
    struct stat info {};
    const bool whole = pread(fd, &header, sizeof(header), 0) == static_cast<ssize_t>(sizeof(header)) &&
                       header.checksum == checksum(&header, offsetof(SegmentHeader, checksum)) &&
                       fstat(fd, &info) == 0 && static_cast<std::uint64_t>(info.st_size) == header.segmentBytes &&
                       (info.st_mode & 07777) == 0600;
    faults += whole && info.st_blocks > 0 ? 0 : 1;
    close(fd);
  };
  atEveryInstruction([&] { created = createSegmentFile(options, false).release(); }, look);
  const ScratchFile file(path, created);
  REQUIRE(created >= 0);
  CHECK(faults == 0);
  CHECK(named > 0);
}

TEST_CASE("segment file: the default capacity follows the cohort", "[segment]") {
  const std::array<std::array<int, 3>, 5> table{
      {{1, 0, 16}, {8, 0, 16}, {20, 0, 40}, {300, 0, kMaxMembers}, {3, 5, 5}}};
  for (const auto& [expected, given, capacity] : table) {
    Options options = scratchOptions(expected);
    options.capacity = given;
    options.mailboxBytes = options.maxMessage = 4096;
    const ScratchFile file(pathOf(options), createSegmentFile(options, false).release());
    REQUIRE(file.fd() >= 0);
    CHECK(headerOf(file).capacity == static_cast<std::uint32_t>(capacity));
  }
}

// Design §4: racing creators, exactly one wins; and what it publishes is whole from the first moment.
TEST_CASE("segment file: of racing threads exactly one creates it", "[segment][threads]") {
  const Watchdog watchdog;
  const bool patient = GENERATE(true, false);
  for (int i = 0; i < 30; ++i) {
    const Options options = scratchOptions();
    constexpr int kCreators = 4;
    std::array<int, kCreators> made{};
    std::atomic<bool> sawPart{false};
    runTogether(kCreators + 1, [&](int thread) {
      if (thread < kCreators) {
        made[static_cast<std::size_t>(thread)] = createOrSee(options, patient);
        return;
      }
      int fd = -1;
      while (fd < 0) fd = open(pathOf(options).c_str(), O_RDWR | O_CLOEXEC);
      if (!readHeader(fd, pathOf(options)) || removeIfDeserted(fd, pathOf(options))) sawPart = true;
      close(fd);
    });
    REQUIRE_FALSE(sawPart);
    int winner = -1;
    int winners = 0;
    for (const int fd : made) {
      if (fd < 0) continue;
      ++winners;
      winner = fd;
    }
    const ScratchFile file(pathOf(options), winner);
    REQUIRE(winners == 1);
    REQUIRE(namesFile(file.path(), file.fd()));
  }
}

TEST_CASE("segment file: of racing processes exactly one creates it", "[segment]") {
  const Watchdog watchdog;
  const bool patient = GENERATE(true, false);
  for (int i = 0; i < 10; ++i) {
    const Options options = scratchOptions();
    const Gate go;
    const Gate tried;
    const Shared<std::atomic<int>> winners;
    constexpr int kCreators = 4;
    {
      auto children = forkChildren(kCreators, [&](int) -> std::string {
        go.pass();
        if (createOrSee(options, patient) >= 0) ++*winners;
        tried.open();
        stayUntilKilled();  // the winner holds its lock until all have tried
      });
      go.open(kCreators);
      awaitOpen(children, tried);
    }
    const ScratchFile file(pathOf(options), open(pathOf(options).c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(*winners == 1);
    // P7: the winner is dead. Another process that creates a group may have swept the file already, or may be
    // about to, with its lock.
    while (file.fd() >= 0 && access(file.path().c_str(), F_OK) == 0) {
      if (!removeIfDeserted(file.fd(), file.path())) std::this_thread::yield();
    }
  }
}

// P7, and its other side: what lives is not touched.
TEST_CASE("segment file: only a deserted one is removed", "[segment]") {
  const Options options = scratchOptions();
  ScratchFile living(pathOf(options), createSegmentFile(options, false).release());
  const ScratchFile visitor(living.path(), open(living.path().c_str(), O_RDWR | O_CLOEXEC));
  CHECK_FALSE(removeIfDeserted(visitor.fd(), visitor.path()));
  CHECK(namesFile(visitor.path(), visitor.fd()));
  // The attempt must not leave a lock that would make the next one fail.
  CHECK_FALSE(removeIfDeserted(visitor.fd(), visitor.path()));

  living.closeOnly();
  SECTION("a name that means another file by now stays") {
    REQUIRE(unlink(visitor.path().c_str()) == 0);
    const ScratchFile successor(pathOf(options), createSegmentFile(options, false).release());
    REQUIRE(successor.fd() >= 0);
    CHECK_FALSE(namesFile(visitor.path(), visitor.fd()));
    CHECK_FALSE(removeIfDeserted(visitor.fd(), visitor.path()));
    CHECK(namesFile(successor.path(), successor.fd()));
  }
  SECTION("nobody lives there any more") {
    // False if another process, which creates a group at this moment, has swept it already.
    static_cast<void>(removeIfDeserted(visitor.fd(), visitor.path()));
    CHECK(access(visitor.path().c_str(), F_OK) != 0);
    CHECK_FALSE(removeIfDeserted(visitor.fd(), visitor.path()));
  }
}

TEST_CASE("segment file: the sweep takes dead groups and leaves living ones and strangers", "[segment]") {
  const Options dead = scratchOptions();
  const Options alive = scratchOptions();
  const Options foreign = scratchOptions();
  ScratchFile deadFile(pathOf(dead), createSegmentFile(dead, false).release());
  const ScratchFile aliveFile(pathOf(alive), createSegmentFile(alive, false).release());
  const ScratchFile foreignFile(pathOf(foreign),
                                open(pathOf(foreign).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(write(foreignFile.fd(), "not a segment", 13) == 13);
  deadFile.closeOnly();
  static_cast<void>(removeDesertedSegments());  // none, if another process has just swept
  CHECK(access(deadFile.path().c_str(), F_OK) != 0);
  CHECK(namesFile(aliveFile.path(), aliveFile.fd()));
  CHECK(namesFile(foreignFile.path(), foreignFile.fd()));
}

// P8.
TEST_CASE("segment file: what is foreign or too open or no file is refused", "[segment]") {
  const Options options = scratchOptions();
  const ScratchFile file(pathOf(options), createSegmentFile(options, false).release());
  const auto refused = [&](int fd) { return errcOf([&] { refuseForeign(fd, "it"); }) == Errc::refusedSegment; };
  CHECK_FALSE(refused(file.fd()));
  for (const mode_t mode : {0640U, 0604U, 0601U, 0666U}) {
    REQUIRE(fchmod(file.fd(), mode) == 0);
    CHECK(refused(file.fd()));
  }
  REQUIRE(fchmod(file.fd(), 0600) == 0);
  if (geteuid() == 0) {
    REQUIRE(fchown(file.fd(), 12345, 12345) == 0);
    CHECK(refused(file.fd()));
    REQUIRE(fchown(file.fd(), 0, 0) == 0);
  }
  CHECK_FALSE(refused(file.fd()));
  const ScratchFile directory("", open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK(refused(directory.fd()));
  const ScratchFile device("", open("/dev/null", O_RDWR | O_CLOEXEC));
  CHECK(refused(device.fd()));
}

// P6: a header that contradicts itself is found before anything is mapped.
TEST_CASE("segment file: a damaged header is told from a foreign file and from another version", "[segment]") {
  const Options options = scratchOptions();
  const ScratchFile file(pathOf(options), createSegmentFile(options, false).release());
  const SegmentHeader good = headerOf(file);
  const auto read = [&] { return readHeader(file.fd(), file.path()); };
  const auto isCorrupt = [&] { return errcOf([&] { static_cast<void>(read()); }) == Errc::corruptSegment; };
  REQUIRE(read());

  SegmentHeader bad = good;
  bad.magic ^= 1;
  seal(file, bad);
  CHECK_FALSE(read());  // no segment at all

  bad = good;
  bad.layoutVersion += 1;
  bad.capacity = 1'000'000;  // of another version: nothing of it is judged
  seal(file, bad);
  REQUIRE(read());
  CHECK_FALSE(sameLayout(*read()));
  bad = good;
  bad.fingerprint ^= 1;
  seal(file, bad);
  REQUIRE(read());
  CHECK_FALSE(sameLayout(*read()));

  // Every single bit behind the version and the fingerprint is under the checksum.
  Random random;
  CAPTURE(random.seed());
  for (int i = 0; i < 200; ++i) {
    bad = good;
    const std::size_t from = offsetof(SegmentHeader, segmentBytes);
    const std::size_t at = from + random.below(sizeof(SegmentHeader) - from);
    reinterpret_cast<unsigned char*>(&bad)[at] ^= static_cast<unsigned char>(1U << random.below(8));
    REQUIRE(pwrite(file.fd(), &bad, sizeof(bad), 0) == sizeof(bad));
    REQUIRE(isCorrupt());
  }
  // With a correct checksum, but contradicting itself.
  const std::array<std::function<void(SegmentHeader&)>, 5> contradictions{
      [](SegmentHeader& header) { header.capacity = 0; },
      [](SegmentHeader& header) { header.capacity = kMaxMembers + 1; },
      [](SegmentHeader& header) { header.segmentBytes += kPage; },
      [](SegmentHeader& header) { header.mailboxMessages *= 2; },
      [](SegmentHeader& header) { header.headerBytes = 8; }};
  for (const auto& contradict : contradictions) {
    bad = good;
    contradict(bad);
    seal(file, bad);
    CHECK(isCorrupt());
  }
  seal(file, good);
  REQUIRE(read());
  REQUIRE(ftruncate(file.fd(), static_cast<off_t>(good.segmentBytes - 1)) == 0);
  CHECK(isCorrupt());
  REQUIRE(ftruncate(file.fd(), 16) == 0);
  CHECK_FALSE(read());
}

// F5: a limit that the file would exceed is an error and not SIGXFSZ.
TEST_CASE("segment file: a file size limit is a clear error", "[segment]") {
  const Options options = scratchOptions();
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit low = before;
  low.rlim_cur = 100'000;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &low) == 0);
  const Errc errc = errcOf([&] { static_cast<void>(createSegmentFile(options, false).release()); });
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(errc == Errc::noSpace);
  CHECK(access(pathOf(options).c_str(), F_OK) != 0);
}

// Locks by open file description: two members in one process do not release each other's.
TEST_CASE("segment file: locks belong to the description and not to the process", "[segment]") {
  const Options options = scratchOptions();
  const ScratchFile first(pathOf(options), createSegmentFile(options, false).release());
  ScratchFile second("", open(first.path().c_str(), O_RDWR | O_CLOEXEC));
  const long byte = slotByte(3);
  CHECK(setFileLock(first.fd(), byte, FileLock::exclusive));
  CHECK_FALSE(setFileLock(second.fd(), byte, FileLock::exclusive));
  CHECK_FALSE(setFileLock(second.fd(), byte, FileLock::shared));
  CHECK(isFileLocked(second.fd(), byte));
  CHECK_FALSE(isFileLocked(first.fd(), byte));  // our own is not another's
  CHECK_FALSE(isFileLocked(second.fd(), slotByte(2)));
  CHECK_FALSE(isFileLocked(second.fd(), slotByte(4)));

  // Closing any other descriptor of the file drops nothing (with classic locks it would drop all).
  close(open(first.path().c_str(), O_RDWR | O_CLOEXEC));
  CHECK(isFileLocked(second.fd(), byte));

  CHECK(setFileLock(first.fd(), byte, FileLock::none));
  CHECK_FALSE(isFileLocked(second.fd(), byte));
  CHECK(setFileLock(first.fd(), byte, FileLock::shared));
  CHECK(setFileLock(second.fd(), byte, FileLock::shared));
  CHECK_FALSE(setFileLock(second.fd(), byte, FileLock::exclusive));
  CHECK(isFileLocked(first.fd(), byte));
  second.closeOnly();
  CHECK_FALSE(isFileLocked(first.fd(), byte));
  CHECK(isFileLocked(-1, byte));  // an error declares nobody dead
}

// A process is spared only if it is certain that it is not the one with the slot's lock: where its descriptors
// cannot be read, as those of a process whose first thread has ended, other evidence must do.
TEST_CASE("segment file: a process certainly lacks a lock only if its descriptors say so", "[segment]") {
  const Watchdog watchdog;
  const Options options = scratchOptions();
  const ScratchFile file(pathOf(options), createSegmentFile(options, false).release());
  const Gate apart;
  Child stranger([&]() -> std::string {
    close(file.fd());
    apart.open();
    stayUntilKilled();
  });
  stranger.awaitOpen(apart);
  const auto own = static_cast<std::uint32_t>(getpid());
  REQUIRE(setFileLock(file.fd(), slotByte(3), FileLock::exclusive));
  CHECK_FALSE(lacksFileLock(own, file.fd(), slotByte(3)));
  CHECK(lacksFileLock(own, file.fd(), slotByte(2)));
  CHECK(lacksFileLock(static_cast<std::uint32_t>(stranger.pid()), file.fd(), slotByte(3)));
  REQUIRE(setFileLock(file.fd(), slotByte(3), FileLock::shared));
  CHECK(lacksFileLock(own, file.fd(), slotByte(3)));

  const Child zombie([] { return std::string(); });
  zombie.awaitEnd();
  CHECK_FALSE(lacksFileLock(static_cast<std::uint32_t>(zombie.pid()), file.fd(), slotByte(3)));
  CHECK_FALSE(lacksFileLock(own, -1, slotByte(3)));
  CHECK_FALSE(lacksFileLock(0, file.fd(), slotByte(3)));  // nobody's number
}
