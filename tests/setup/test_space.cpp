// /dev/shm without room: at creation, for a later slot, and filled by strangers while the group works.

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <ronde/inspect.hpp>
#include <stdexcept>

#include "ipc/segment/descriptor.hpp"
#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/operations.hpp"
#include "tests/support/private_shm.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::testing;

namespace {

std::uint64_t freeBytes() {
  struct statvfs info {};
  statvfs("/dev/shm", &info);
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

/// A stranger's file that takes all room but `rest` bytes; gone at the end of its scope.
class Filling {
 public:
  explicit Filling(std::uint64_t rest) : file_(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
    if (posix_fallocate(file_.get(), 0, static_cast<off_t>(freeBytes() - rest)) != 0 || freeBytes() != rest) {
      throw std::runtime_error("/dev/shm could not be filled");
    }
  }

 private:
  detail::Descriptor file_;
};

/// What the first error of a newcomer says; it must be refused for want of room.
std::string refusedNewcomer(const ScratchGroup& group, const std::string& name) {
  const auto error = errorOf([&] { return Communicator(group.options(name)).id(); });
  if (!error) return "the newcomer was let in";
  const bool isClear = error->errc() == Errc::noSpace &&
                       mentions(error->what(), {"joining the group needs ", "which has ", " free"});
  return isClear ? std::string() : error->what();
}

std::string allOperationsOf(const Members& members) {
  const auto reports = inThreads(static_cast<int>(members.size()),
                                 [&](int id) { return allOperations(*members[static_cast<std::size_t>(id)]); });
  for (const std::string& report : reports) {
    if (!report.empty()) return report;
  }
  return {};
}

void checkInPrivateShm(std::size_t bytes, const std::function<std::string()>& body) {
  Child child([&] {
    const auto why = enterPrivateShm(bytes);
    return why.empty() ? body() : why;
  });
  const std::string report = child.report();
  if (!wasSkipped(report)) CHECK(report == "");
}

}  // namespace

TEST_CASE("a creation that lacks room gives back all that it took (F5, P7)", "[process]") {
  const ScratchGroup group;
  checkInPrivateShm(1 << 20, [&]() -> std::string {
    const std::uint64_t before = freeBytes();
    // Each with another need, so that the room ends in another place.
    for (int expected = 2; expected < 20; ++expected) {
      const auto error = errorOf([&] { return Communicator(group.options("P0", expected)).id(); });
      if (!error || error->errc() != Errc::noSpace) return "no error, or another";
      if (group.exists()) return "a name is left";
      if (freeBytes() != before) return "bytes are left";
    }
    return {};
  });
}

TEST_CASE("room that dead groups take is there for the next one (P7, F5)", "[process]") {
  const ScratchGroup first;
  const ScratchGroup second;
  checkInPrivateShm(1 << 20, [&]() -> std::string {
    const Gate ready;
    Child member([&] {
      const Communicator com(first.options("P0"));
      ready.open();
      return stayUntilKilled();
    });
    member.awaitOpen(ready);
    const Filling strangers(100 * 1024);  // too little for a second group
    const auto error = errorOf([&] { return Communicator(second.options("P0")).id(); });
    if (!error || error->errc() != Errc::noSpace) return "a second group had room";
    member.kill();
    Communicator com(second.options("P0"));
    return allOperations(com);
  });
}

TEST_CASE("room for the cohort but not for a later one: it is refused, the others go on (F5)", "[process]") {
  const ScratchGroup group;
  checkInPrivateShm(4 << 20, [&]() -> std::string {
    auto members = foundGroup(group, 2);
    auto strangers = std::make_unique<Filling>(64 * 1024);
    const std::uint64_t before = freeBytes();
    for (int i = 0; i < 20; ++i) {  // a refused one leaves no slot in use: there are 16
      if (auto fault = refusedNewcomer(group, "late"); !fault.empty()) return fault;
    }
    if (freeBytes() != before) return "the refused ones left bytes";
    if (auto fault = allOperationsOf(members); !fault.empty()) return fault;
    if (members[0]->viewNumber() != 1) return "the refused ones changed the view";
    strangers.reset();
    Options late = group.options("late");
    members.push_back(std::make_unique<Communicator>(late));
    awaitSize(*members[0], 3);
    awaitSize(*members[1], 3);
    return allOperationsOf(members);
  });
}

TEST_CASE("strangers fill /dev/shm to the last byte while the group works: never SIGBUS (F5)", "[process]") {
  const ScratchGroup group;
  checkInPrivateShm(4 << 20, [&]() -> std::string {
    auto members = foundGroup(group, 3);
    const Filling strangers(0);
    if (auto fault = allOperationsOf(members); !fault.empty()) return fault;
    // Also what nobody has touched yet: the inspector looks at every slot, a member at those that were never used.
    const auto inspector = GroupInspector::open(group.name());
    if (!inspector || inspector->slots().size() != 3 || inspector->view().size() != 3) return "inspector";
    if (auto fault = refusedNewcomer(group, "late"); !fault.empty()) return fault;
    if (!members[2]->stop()) return "a member could not leave";
    members.pop_back();
    awaitSize(*members[0], 2);
    awaitSize(*members[1], 2);
    if (auto fault = allOperationsOf(members); !fault.empty()) return fault;
    // A slot that was in use has its memory: the next one there needs none.
    members.push_back(std::make_unique<Communicator>(group.options("heir")));
    awaitSize(*members[0], 3);
    awaitSize(*members[1], 3);
    return allOperationsOf(members);
  });
}
