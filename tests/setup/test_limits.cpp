// Resource limits of a process: each is swept from what is too little to what is enough.

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <new>

#include "tests/support/child.hpp"
#include "tests/support/descriptors.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/operations.hpp"
#include "tests/support/scratch_group.hpp"

using namespace ronde;
using namespace ronde::testing;

namespace {

void limit(__rlimit_resource what, rlim_t value) {
  rlimit now{};
  getrlimit(what, &now);
  now.rlim_cur = value;
  setrlimit(what, &now);
}

rlim_t addressSpace() {
  std::ifstream file("/proc/self/statm");
  rlim_t pages = 0;
  file >> pages;
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

/// Joins under each limit in turn, `step` apart, until it works; every failure is an Error or a lack of memory
/// that leaves nothing. Returns nothing, or what was wrong.
std::string sweep(const Options& options, const std::function<bool()>& exists, __rlimit_resource what, rlim_t from,
                  rlim_t step, rlim_t to) {
  rlimit before{};
  getrlimit(what, &before);
  const bool existed = exists();
  const long descriptors = openDescriptors();
  int failures = 0;
  for (rlim_t value = from; value <= to; value += step) {
    const std::string at = " (with " + std::to_string(value) + ")";
    std::string fault;
    std::unique_ptr<Communicator> com;
    limit(what, value);
    try {
      com = std::make_unique<Communicator>(options);
    } catch (const Error& error) {
      if (error.errc() != Errc::system) fault = error.what();
    } catch (const std::bad_alloc&) {
    } catch (const std::exception& other) {
      fault = std::string("another exception: ") + other.what();
    }
    limit(what, before.rlim_cur);
    if (!fault.empty()) return fault + at;
    if (com) {
      const int expectedSize = existed ? 2 : 1;
      if (com->size() != expectedSize) return "joined another group" + at;
      return failures > 0 ? std::string() : "nothing was tried";
    }
    ++failures;
    if (exists() != existed) return "the name changed" + at;
    if (openDescriptors() != descriptors) return "a descriptor is left" + at;
  }
  return "never worked";
}

/// Both as the first and as the second of the group.
void checkSweep(const std::function<std::string(const Options&, const std::function<bool()>&)>& run) {
  {
    const ScratchGroup group;
    Child child([&] { return run(group.options("P0"), [&] { return group.exists(); }); });
    CHECK(child.report() == "");
  }
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  Child child([&] { return run(group.options("P1"), [&] { return group.exists(); }); });
  CHECK(child.report() == "");
  CHECK(allOperations(com) == "");
  // Those that failed took no slot for good.
  for (int i = 0; i < 20; ++i) const Communicator next(group.options("P1"));
}

}  // namespace

TEST_CASE("a file size limit of just the segment's size is enough, one byte less is a clear error (F5)",
          "[process]") {
  const ScratchGroup group;
  std::uint64_t size = 0;
  {
    const Communicator com(group.options("P0"));
    size = std::filesystem::file_size(group.path());
  }
  Child child([&] {
    limit(RLIMIT_FSIZE, size - 1);
    std::string text = errorText([&] { return Communicator(group.options("P0")).id(); });
    if (group.exists()) text += " AND LEFT SOMETHING";
    limit(RLIMIT_FSIZE, size);
    Communicator com(group.options("P0"));
    return text + "; " + allOperations(com) + "done";
  });
  const std::string report = child.report();
  CAPTURE(report);
  CHECK(mentions(report, {"no space", std::to_string(size), "RLIMIT_FSIZE", std::to_string(size - 1), "; done"}));
  CHECK_FALSE(mentions(report, {"LEFT"}));
}

TEST_CASE("whoever joins a group that is larger than its file size limit is not killed by SIGXFSZ (F5)",
          "[process]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  Child child([&] {
    limit(RLIMIT_FSIZE, 1);
    Communicator own(group.options("P1"));
    return allOperations(own) + "done";
  });
  awaitSize(com, 2);
  CHECK(allOperations(com) == "");
  CHECK(child.report() == "done");
}

TEST_CASE("too few descriptors are an error, and none is lost (F5)", "[process]") {
  checkSweep([](const Options& options, const std::function<bool()>& exists) {
    return sweep(options, exists, RLIMIT_NOFILE, 3, 1, 64);
  });
}

TEST_CASE("too little address space is an error, wherever it ends (F5)", "[process]") {
  checkSweep([](const Options& options, const std::function<bool()>& exists) {
    const rlim_t used = addressSpace();
    return sweep(options, exists, RLIMIT_AS, used, 64 * 1024, used + (1 << 30));
  });
}

TEST_CASE("a process that may start no thread gets an error, and leaves nothing (F5)", "[process]") {
  const ScratchGroup group;
  Child child([&]() -> std::string {
    constexpr uid_t kNobody = 65534;
    if (geteuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0) return "root, whom the limit does not bind";
    rlimit before{};
    getrlimit(RLIMIT_NPROC, &before);
    limit(RLIMIT_NPROC, 0);
    std::string text = errorText([&] { return Communicator(group.options("P0")).id(); });
    if (group.exists()) text += " AND LEFT SOMETHING";
    limit(RLIMIT_NPROC, before.rlim_cur);
    Communicator com(group.options("P0"));
    return text + "; " + allOperations(com) + "done";
  });
  const std::string report = child.report();
  CAPTURE(report);
  CHECK(mentions(report, {"system call failed", "starting the service thread", "RLIMIT_NPROC", "; done"}));
  CHECK_FALSE(mentions(report, {"LEFT"}));
}
