#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ronde/inspect.hpp>

#include "ipc/segment/layout.hpp"
#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/private_shm.hpp"
#include "tests/support/scratch_group.hpp"

// What killed groups leave in /dev/shm, and what may be wrong with /dev/shm.

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

std::string killedMember(const ScratchGroup& group) {
  const Gate ready;
  Child member([&] {
    const Communicator com(group.options("victim"));
    ready.open();
    return stayUntilKilled();
  });
  member.awaitOpen(ready);
  member.kill();
  return group.exists() ? "left behind" : "gone";
}

}  // namespace

// In a /dev/shm of their own, where no other test cleans up meanwhile.
TEST_CASE("leftovers of a killed group are taken over by the next of that name (P7)", "[process]") {
  const ScratchGroup group;
  Child child([&] {
    if (const auto why = enterPrivateShm(64 << 20); !why.empty()) return why;
    if (killedMember(group) != "left behind") return std::string("nothing to take over");
    Communicator com(group.options("heir"));
    if (toText(com.view()) != "1: heir") return "saw " + toText(com.view());
    return std::string(com.stop() && !group.exists() ? "taken over" : "left again");
  });
  const std::string report = child.report();
  if (wasSkipped(report)) return;
  CHECK(report == "taken over");
}

TEST_CASE("leftovers of a killed group are removed by the next group of another name (P7)", "[process]") {
  const ScratchGroup group;
  const ScratchGroup another;
  const ScratchGroup third;
  Child child([&] {
    if (const auto why = enterPrivateShm(64 << 20); !why.empty()) return why;
    if (killedMember(group) != "left behind") return std::string("nothing to take over");
    // One of another version: nobody lives there either.
    if (killedMember(third) != "left behind") return std::string("nothing to take over");
    const std::uint32_t version = 77;
    const int file = open(third.path().c_str(), O_RDWR);
    const bool written =
        pwrite(file, &version, sizeof(version), offsetof(detail::SegmentHeader, layoutVersion)) == sizeof(version);
    close(file);
    const Communicator com(another.options("heir"));
    return std::string(written && !group.exists() && !third.exists() ? "removed" : "still there");
  });
  const std::string report = child.report();
  if (wasSkipped(report)) return;
  CHECK(report == "removed");
}

TEST_CASE("leftovers of another version are taken over by the next of that name (P7)", "[process]") {
  const ScratchGroup group;
  Child child([&] {
    if (const auto why = enterPrivateShm(64 << 20); !why.empty()) return why;
    if (killedMember(group) != "left behind") return std::string("nothing to take over");
    const std::uint32_t version = 77;
    const int file = open(group.path().c_str(), O_RDWR);
    const bool written =
        pwrite(file, &version, sizeof(version), offsetof(detail::SegmentHeader, layoutVersion)) == sizeof(version);
    close(file);
    Communicator com(group.options("heir"));
    return std::string(written && com.size() == 1 ? "taken over" : "not");
  });
  const std::string report = child.report();
  if (wasSkipped(report)) return;
  CHECK(report == "taken over");
}

TEST_CASE("removeStaleSegments() removes what nobody lives in, and says how many (P7)", "[process]") {
  const ScratchGroup dead;
  const ScratchGroup living;
  Child child([&] {
    if (const auto why = enterPrivateShm(64 << 20); !why.empty()) return why;
    Communicator com(living.options("P0"));
    if (killedMember(dead) != "left behind") return std::string("nothing to remove");
    const int first = removeStaleSegments();
    const int second = removeStaleSegments();
    return std::to_string(first) + " " + std::to_string(second) + (dead.exists() ? " there" : " gone") +
           (living.exists() && com.publish("x") ? " alive" : " lost");
  });
  const std::string report = child.report();
  if (wasSkipped(report)) return;
  CHECK(report == "1 0 gone alive");
}

TEST_CASE("a full /dev/shm is an error that says how much is needed and free, never SIGBUS (F5)", "[process]") {
  const ScratchGroup group;
  Child child([&] {
    if (const auto why = enterPrivateShm(1 << 20); !why.empty()) return why;
    const std::string text = errorText([&] { return Communicator(group.options("P0", 4)).id(); });
    return text + (group.exists() ? " AND LEFT SOMETHING" : "");
  });
  const std::string report = child.report();
  if (wasSkipped(report)) return;
  CAPTURE(report);
  CHECK(mentions(report, {"no space in /dev/shm", "1048576 free", "needs ", "docker --shm-size"}));
  CHECK_FALSE(mentions(report, {"LEFT"}));
}

TEST_CASE("a /dev/shm that fills up refuses the newcomer; the group goes on (F5)", "[process]") {
  const ScratchGroup group;
  Child child([&] {
    if (const auto why = enterPrivateShm(2 << 20); !why.empty()) return why;
    Communicator first(group.options("P0"));
    std::vector<std::unique_ptr<Communicator>> others;
    std::string text;
    while (text.empty()) {
      try {
        others.push_back(std::make_unique<Communicator>(group.options("P" + std::to_string(others.size() + 1))));
      } catch (const Error& error) {
        text = error.code().message() + ": " + error.what();
      }
    }
    // Everybody who is in has its memory: the largest message still goes to all.
    const std::size_t members = others.size() + 1;
    const Outcome sent = first.publish(std::string(Options().maxMessage, 'x'));
    const bool heard = first.receive() && others.back()->receive();
    others.clear();
    return text + "; " +
           std::to_string(members > 1 && members == static_cast<std::size_t>(sent.acknowledged.size())) +
           std::to_string(heard);
  });
  const std::string report = child.report();
  if (wasSkipped(report)) return;
  CAPTURE(report);
  CHECK(mentions(report, {"no space in /dev/shm", "needs ", " free", "; 11"}));
}

TEST_CASE("a read-only /dev/shm is an error that says so (F5)", "[process]") {
  const ScratchGroup group;
  Child child([&] {
    if (const auto why = enterPrivateShm(64 << 20); !why.empty()) return why;
    if (const auto why = makeShmReadOnly(); !why.empty()) return why;
    return errorText([&] { return Communicator(group.options("P0")).id(); });
  });
  const std::string report = child.report();
  if (wasSkipped(report)) return;
  CAPTURE(report);
  CHECK(mentions(report, {"system call failed", "/dev/shm", "Read-only file system", "writable"}));
}

TEST_CASE("a file size limit is an error that names it, never SIGXFSZ (F5)", "[process]") {
  const ScratchGroup group;
  Child child([&] {
    const rlimit limit{100'000, 100'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    return errorText([&] { return Communicator(group.options("P0")).id(); });
  });
  const std::string report = child.report();
  CAPTURE(report);
  CHECK(mentions(report, {"no space in /dev/shm", "RLIMIT_FSIZE", "100000"}));
}

TEST_CASE("a process without a free descriptor gets an error, and leaves nothing (F5)", "[process]") {
  const ScratchGroup group;
  Child child([&]() -> std::string {
    std::string faults;
    int failures = 0;
    // One descriptor more each time, so that every place that needs one is met, until it works.
    for (rlim_t count = 4; count < 64; ++count) {
      const rlimit limit{count, 64};
      setrlimit(RLIMIT_NOFILE, &limit);
      const auto error = errorOf([&] { return Communicator(group.options("P0")).id(); });
      if (group.exists()) faults += "left something with " + std::to_string(count) + "; ";
      if (!error) return failures > 0 ? faults : "nothing was tried";
      ++failures;
      if (error->errc() != Errc::system) faults += std::string(error->what()) + "; ";
    }
    return "never worked; " + faults;
  });
  CHECK(child.report().empty());
}

TEST_CASE("a segment that is removed under a living group does not harm it (F4)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  REQUIRE(unlink(group.path().c_str()) == 0);
  REQUIRE(members[0]->publish("unharmed"));
  CHECK(members[1]->receive()->text() == "unharmed");
  {
    // A newcomer founds another group; that one's file is its own affair.
    Communicator stranger(group.options("stranger"));
    CHECK(stranger.size() == 1);
    REQUIRE(members[0]->stop());
    CHECK(group.exists());
  }
  REQUIRE(members[1]->stop());
}
