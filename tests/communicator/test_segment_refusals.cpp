#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <ronde/inspect.hpp>
#include <sstream>

#include "ipc/segment/layout.hpp"
#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/skip.hpp"

// What may lie under the segment's name.

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

/// Something planted under a group's name; removed at the end of its scope.
class Planted {
 public:
  explicit Planted(std::string path) : path_(std::move(path)) {}
  Planted(const Planted&) = delete;
  Planted& operator=(const Planted&) = delete;
  ~Planted() {
    if (unlink(path_.c_str()) != 0) rmdir(path_.c_str());
  }
  /// Type, mode, owner, links, times of change and content.
  [[nodiscard]] std::string state() const {
    struct stat info {};
    if (lstat(path_.c_str(), &info) != 0) return "gone";
    std::ostringstream text;
    text << info.st_ino << " " << info.st_mode << " " << info.st_uid << " " << info.st_size << " "
         << info.st_ctim.tv_sec << "." << info.st_ctim.tv_nsec << " " << info.st_mtim.tv_nsec << " ";
    if (S_ISREG(info.st_mode)) text << std::ifstream(path_).rdbuf();
    return text.str();
  }

 private:
  std::string path_;
};

void writeFile(const std::string& path, const std::string& content, mode_t mode) {
  std::ofstream(path) << content;
  chmod(path.c_str(), mode);
}

/// Joining is refused, by an error that names the file; the file, and a living group, stay as they are.
void checkRefused(const ScratchGroup& group) {
  const Planted planted(group.path());
  const std::string before = planted.state();
  REQUIRE(before != "gone");
  const auto error = errorOf([&] { return Communicator(group.options("P0")).id(); });
  REQUIRE(error);
  CHECK(error->errc() == Errc::refusedSegment);
  CAPTURE(error->what());
  CHECK(mentions(error->what(), {group.path(), "choose another group name or remove it"}));
  const auto inspection = errorOf([&] { return GroupInspector::open(group.name()).has_value(); });
  REQUIRE(inspection);
  CHECK(inspection->errc() == Errc::refusedSegment);
  // Nor does cleaning up touch it, by itself or for another group.
  removeStaleSegments();
  {
    const ScratchGroup another;
    const Communicator com(another.options("P0"));
  }
  CHECK(planted.state() == before);
}

}  // namespace

TEST_CASE("a foreign file under the segment's name is refused and left alone (P8)") {
  for (const std::string& content : {std::string(), std::string("precious"), std::string(1 << 20, 'x')}) {
    const ScratchGroup group;
    writeFile(group.path(), content, 0600);
    checkRefused(group);
  }
}

TEST_CASE("a symbolic link under the segment's name is refused, wherever it leads (P8)") {
  const ScratchGroup group;
  const ScratchGroup target;
  SECTION("to a file") {
    const Planted file(target.path());
    writeFile(target.path(), "precious", 0600);
    const std::string before = file.state();
    REQUIRE(symlink(target.path().c_str(), group.path().c_str()) == 0);
    checkRefused(group);
    CHECK(file.state() == before);
  }
  SECTION("to a living group") {
    Communicator living(target.options("P1"));
    REQUIRE(symlink(target.path().c_str(), group.path().c_str()) == 0);
    checkRefused(group);
    CHECK(living.viewNumber() == 1);
  }
  SECTION("to nothing") {
    REQUIRE(symlink(target.path().c_str(), group.path().c_str()) == 0);
    checkRefused(group);
    CHECK_FALSE(target.exists());
  }
}

TEST_CASE("a FIFO or a folder under the segment's name is refused (P8)") {
  const ScratchGroup group;
  SECTION("FIFO") {
    REQUIRE(mkfifo(group.path().c_str(), 0600) == 0);
    checkRefused(group);
  }
  SECTION("folder") {
    REQUIRE(mkdir(group.path().c_str(), 0700) == 0);
    checkRefused(group);
  }
}

TEST_CASE("a file that others may use is refused (P8)") {
  for (const mode_t mode : {0666U, 0640U, 0604U, 0660U}) {
    const ScratchGroup group;
    writeFile(group.path(), "precious", mode);
    checkRefused(group);
  }
}

TEST_CASE("a living group's segment that was opened to others is refused (P8)", "[threads]") {
  const ScratchGroup group;
  Communicator living(group.options("P1"));
  struct stat info {};
  REQUIRE(stat(group.path().c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);  // as the library made it
  REQUIRE(chmod(group.path().c_str(), 0666) == 0);
  const auto error = errorOf([&] { return Communicator(group.options("P0")).id(); });
  REQUIRE(error);
  CHECK(error->errc() == Errc::refusedSegment);
  CHECK(living.viewNumber() == 1);
}

TEST_CASE("a file of another user is refused (P8)") {
  if (geteuid() != 0) {
    return skip("only root can give a file to another user");
  }
  const ScratchGroup group;
  writeFile(group.path(), "precious", 0600);
  REQUIRE(chown(group.path().c_str(), 12345, 12345) == 0);
  checkRefused(group);
}

namespace {

/// Overwrites `size` bytes of the segment at `offset`, as another version or a bug would have written them.
void overwrite(const std::string& path, std::size_t offset, const void* bytes, std::size_t size) {
  const int file = open(path.c_str(), O_RDWR);
  REQUIRE(file >= 0);
  CHECK(pwrite(file, bytes, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size));
  close(file);
}

}  // namespace

TEST_CASE("a living group of another version is refused and goes on (P8)", "[threads]") {
  const ScratchGroup group;
  Communicator living(group.options("P1"));
  SECTION("another layout") {
    const std::uint32_t version = detail::kLayoutVersion + 1;
    overwrite(group.path(), offsetof(detail::SegmentHeader, layoutVersion), &version, sizeof(version));
  }
  SECTION("another build") {
    const std::uint64_t fingerprint = detail::layoutFingerprint() + 1;
    overwrite(group.path(), offsetof(detail::SegmentHeader, fingerprint), &fingerprint, sizeof(fingerprint));
  }
  const auto error = errorOf([&] { return Communicator(group.options("P0")).id(); });
  REQUIRE(error);
  CHECK(error->errc() == Errc::incompatibleSegment);
  CAPTURE(error->what());
  CHECK(mentions(error->what(), {group.name(), "stop its members or choose another group name"}));
  REQUIRE(living.publish("unharmed"));
  CHECK(living.receive()->text() == "unharmed");
}

TEST_CASE("a living group whose header contradicts itself is refused and goes on (P6)", "[threads]") {
  const ScratchGroup group;
  Communicator living(group.options("P1"));
  const std::uint32_t capacity = 400;
  overwrite(group.path(), offsetof(detail::SegmentHeader, capacity), &capacity, sizeof(capacity));
  const auto error = errorOf([&] { return Communicator(group.options("P0")).id(); });
  REQUIRE(error);
  CHECK(error->errc() == Errc::corruptSegment);
  CAPTURE(error->what());
  CHECK(mentions(error->what(), {group.path()}));
  REQUIRE(living.publish("unharmed"));
  CHECK(living.receive()->text() == "unharmed");
  // The last one to leave must still know its own file.
}
