#include "ipc/segment/segment.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <csignal>
#include <ronde/error.hpp>
#include <vector>

#include "ipc/segment/shm_file.hpp"
#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_file.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

std::string pathOf(const Options& options) { return segmentPath(segmentName(options.group)); }
bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

Errc joinErrc(const Options& options) {
  return errcOf([&] { Segment::joinOrCreate(options, soon()); });
}

}  // namespace

TEST_CASE("segment: communicators of one process share one mapping and the last to leave removes it",
          "[segment]") {
  const Options options = scratchOptions();
  auto first = Segment::joinOrCreate(options, soon());
  auto second = Segment::joinOrCreate(options, soon());
  CHECK(&first->control() == &second->control());
  CHECK(first->isNamed());
  first->leave();
  first->leave();  // idempotent
  CHECK(exists(pathOf(options)));
  CHECK(first->control().viewNumber == 0);  // the mapping stays usable
  first.reset();
  CHECK(second->isNamed());
  second.reset();
  CHECK_FALSE(exists(pathOf(options)));

  // A group of the same name is a new one.
  const auto third = Segment::joinOrCreate(options, soon());
  CHECK(third->control().viewNumber == 0);
}

TEST_CASE("segment: settings are those of the creator", "[segment]") {
  Options options = scratchOptions(2);
  options.onSilent = SilencePolicy::wait;
  options.heartbeatInterval = std::chrono::milliseconds(30);
  options.heartbeatTimeout = std::chrono::milliseconds(90);
  const auto creator = Segment::joinOrCreate(options, soon());
  Options other = options;
  other.expected = 9;
  other.mailboxMessages = 1024;
  other.maxMessage = 5;
  other.onSilent = SilencePolicy::evict;
  other.heartbeatInterval = other.heartbeatTimeout = std::chrono::hours(1);
  const auto joiner = Segment::joinOrCreate(other, soon());
  CHECK(joiner->geometry().expected == 2);
  CHECK(joiner->geometry().mailboxMessages == 64);
  CHECK(joiner->geometry().maxMessage == 64 * 1024);
  CHECK(joiner->silencePolicy() == SilencePolicy::wait);
  CHECK(joiner->heartbeatInterval() == std::chrono::milliseconds(30));
  CHECK(joiner->heartbeatTimeout() == std::chrono::milliseconds(90));
}

TEST_CASE("segment: all who come at once meet in one file", "[segment][threads]") {
  const Watchdog watchdog;
  for (int i = 0; i < 20; ++i) {
    const Options options = scratchOptions();
    constexpr int kComers = 4;
    std::vector<std::unique_ptr<Segment>> segments(kComers);
    runTogether(kComers, [&](int thread) {
      segments[static_cast<std::size_t>(thread)] = Segment::joinOrCreate(options, soon());
    });
    for (const auto& segment : segments) {
      REQUIRE(&segment->control() == &segments.front()->control());
      REQUIRE(segment->isNamed());
    }
    runTogether(kComers, [&](int thread) { segments[static_cast<std::size_t>(thread)]->leave(); });
    REQUIRE_FALSE(exists(pathOf(options)));  // whoever looked last found nobody
  }
}

/// True if it is there: whoever else creates a segment on this machine may have swept it away already.
bool leaveDeserted(const Options& options, bool ofAnotherVersion) {
  Child child([&] {
    const auto segment = Segment::joinOrCreate(options, soon());
    segment->control().viewNumber.store(7);
    raise(SIGKILL);
    return std::string();
  });
  REQUIRE(child.report() == "<signal 9>");
  const ScratchFile file("", open(pathOf(options).c_str(), O_RDWR | O_CLOEXEC));
  const std::uint32_t version = 99;
  if (file.fd() >= 0 && ofAnotherVersion) {
    REQUIRE(pwrite(file.fd(), &version, sizeof(version), offsetof(SegmentHeader, layoutVersion)) ==
            sizeof(version));
  }
  return exists(pathOf(options));
}

// P7: what a dead group left is taken over, also one of other settings or another version.
TEST_CASE("segment: a deserted one is replaced", "[segment]") {
  const Watchdog watchdog;
  const Options options = scratchOptions(4);
  const bool ofAnotherVersion = GENERATE(false, true);
  int tries = 20;
  while (tries > 0 && !leaveDeserted(options, ofAnotherVersion)) --tries;
  REQUIRE(tries > 0);
  Options ours = options;
  ours.expected = 2;
  const auto segment = Segment::joinOrCreate(ours, soon());
  CHECK(segment->geometry().expected == 2);
  CHECK(segment->control().viewNumber == 0);
}

TEST_CASE("segment: a living one of another version is refused and left alone", "[segment]") {
  const Options options = scratchOptions();
  const auto living = Segment::joinOrCreate(options, soon());
  {
    const ScratchFile file("", open(pathOf(options).c_str(), O_RDWR | O_CLOEXEC));
    const std::uint32_t version = 99;
    REQUIRE(pwrite(file.fd(), &version, sizeof(version), offsetof(SegmentHeader, layoutVersion)) ==
            sizeof(version));
  }
  CHECK(joinErrc(options) == Errc::incompatibleSegment);
  CHECK(errcOf([&] { Segment::openForReading(options.group); }) == Errc::incompatibleSegment);
  CHECK(living->isNamed());
}

// P8: what else lies under the name is refused and not touched.
TEST_CASE("segment: foreign things under the name are refused and left alone", "[segment]") {
  const Watchdog watchdog(std::chrono::seconds(10));
  const Options options = scratchOptions();
  const std::string path = pathOf(options);
  const ScratchFile cleaner(path, -1);
  const int kind = GENERATE(0, 1, 3, 4, 2);
  CAPTURE(kind);
  if (kind == 0) REQUIRE(mkdir(path.c_str(), 0700) == 0);
  if (kind == 1) REQUIRE(symlink("/dev/null", path.c_str()) == 0);
  if (kind == 2) REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  if (kind == 3) REQUIRE(ScratchFile("", open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)).fd() >= 0);
  if (kind == 4) {
    const ScratchFile tooOpen("", open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    REQUIRE(fchmod(tooOpen.fd(), 0666) == 0);
  }
  CHECK(joinErrc(options) == Errc::refusedSegment);
  struct stat info {};
  CHECK(lstat(path.c_str(), &info) == 0);
  // Opening a FIFO for reading waits for a writer.
  CHECK(errcOf([&] { Segment::openForReading(options.group); }) == Errc::refusedSegment);
  if (kind == 0) rmdir(path.c_str());
}

TEST_CASE("segment: its name is lost when somebody removes or replaces the file", "[segment]") {
  const Options options = scratchOptions();
  const auto segment = Segment::joinOrCreate(options, soon());
  REQUIRE(unlink(pathOf(options).c_str()) == 0);
  CHECK_FALSE(segment->isNamed());
  const auto other = Segment::joinOrCreate(options, soon());
  CHECK(&other->control() != &segment->control());
  CHECK_FALSE(segment->isNamed());
  segment->leave();
  CHECK(other->isNamed());  // who leaves the old file does not take the new one's name away
}

TEST_CASE("segment: a reader neither writes nor counts as alive", "[segment]") {
  const Watchdog watchdog;
  const Options options = scratchOptions();
  CHECK(Segment::openForReading(options.group) == nullptr);
  auto member = Segment::joinOrCreate(options, soon());
  const auto reader = Segment::openForReading(options.group);
  REQUIRE(reader);
  member->control().viewNumber.store(3);
  CHECK(reader->control().viewNumber == 3);
  member.reset();
  CHECK_FALSE(exists(pathOf(options)));
  CHECK(reader->control().viewNumber == 3);
  Child child([&] {
    // A reader of the child's own: the parent's mapping is not inherited.
    const auto segment = Segment::joinOrCreate(options, soon());
    const auto own = Segment::openForReading(options.group);
    std::signal(SIGSEGV, [](int) { _exit(42); });
    own->control().viewNumber.store(4);
    return std::string("wrote");
  });
  CHECK(child.report() == "<exit 42>");
}

// The slot's lock is the kernel's answer to "does its process live".
TEST_CASE("segment: a slot is claimed by one member and freed by its release or end", "[segment]") {
  const Options options = scratchOptions();
  const auto first = Segment::joinOrCreate(options, soon());
  auto second = Segment::joinOrCreate(options, soon());
  CHECK(second->claimSlot(5));
  CHECK_FALSE(first->claimSlot(5));
  CHECK(first->isSlotClaimed(5));
  CHECK_FALSE(first->isSlotClaimed(4));
  second->releaseSlot(5);
  CHECK_FALSE(first->isSlotClaimed(5));
  CHECK(second->claimSlot(5));
  second.reset();
  CHECK_FALSE(first->isSlotClaimed(5));
}

// Design §4: MADV_DONTFORK. A stray write of a forked child ends the child and not the group.
TEST_CASE("segment: a forked child that touches the mapping dies alone", "[segment]") {
  const Watchdog watchdog;
  const Options options = scratchOptions();
  const auto segment = Segment::joinOrCreate(options, soon());
  segment->control().viewNumber.store(5);
  Child child([&] {
    segment->control().viewNumber.store(6);
    return std::string("wrote");
  });
  CHECK(child.report() == "<signal 11>");
  CHECK(segment->control().viewNumber == 5);
}

// communicator.hpp: the child must not use its parent's communicator, but may construct one of its own.
TEST_CASE("segment: a forked child can join its parent's group itself", "[segment]") {
  const Watchdog watchdog;
  const Options options = scratchOptions();
  const auto parents = Segment::joinOrCreate(options, soon());
  parents->control().viewNumber.store(5);
  Child child([&] {
    const auto own = Segment::joinOrCreate(options, soon());
    return std::to_string(own->control().viewNumber.exchange(6));
  });
  CHECK(child.report() == "5");
  CHECK(parents->control().viewNumber == 6);
}

// A child that kept the descriptor would hold its dead parent's locks, and so make it look alive.
TEST_CASE("segment: a parent's locks are free after its death though its child lives", "[segment]") {
  const Watchdog watchdog;
  const Options options = scratchOptions();
  const auto observer = Segment::joinOrCreate(options, soon());
  const Gate forked;
  const Gate judged;
  Child parent([&]() -> std::string {
    const auto segment = Segment::joinOrCreate(options, soon());
    if (!segment->claimSlot(2)) return "not claimed";
    if (fork() == 0) {
      alarm(60);  // nobody else ends it if the test dies
      forked.open();
      judged.pass();
      _exit(0);
    }
    stayUntilKilled();
  });
  parent.awaitOpen(forked);
  CHECK(observer->isSlotClaimed(2));
  parent.kill();
  CHECK_FALSE(observer->isSlotClaimed(2));
  judged.open();
}
