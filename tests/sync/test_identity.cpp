#include "ipc/sync/identity.hpp"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde::detail;
using namespace ronde::testing;

namespace {

ProcessIdentity identityOf(const Child& child) {
  return {static_cast<std::uint32_t>(child.pid()), ProcessIdentity::ofThisProcess().pidNamespace,
          startTimeOf(child.pid())};
}

}  // namespace

TEST_CASE("identity: this process is itself and lives", "[sync]") {
  const ProcessIdentity self = ProcessIdentity::ofThisProcess();
  CHECK(self.pid == static_cast<std::uint32_t>(getpid()));
  CHECK(self.startTime == startTimeOf(getpid()));
  struct stat info {};
  REQUIRE(stat("/proc/self/ns/pid", &info) == 0);
  CHECK(self.pidNamespace == info.st_ino);
  CHECK(self == ProcessIdentity::ofThisProcess());
  CHECK_FALSE(hasEnded(self));
}

// P2: dead is who is gone, a zombie, or has given its pid to another process.
TEST_CASE("identity: a zombie and a vanished process and a reused pid have ended", "[sync]") {
  const Watchdog watchdog;
  const Gate go;
  Child child([&] {
    go.pass();
    return std::string();
  });
  const ProcessIdentity identity = identityOf(child);
  CHECK_FALSE(hasEnded(identity));

  ProcessIdentity former = identity;  // had this pid before the child
  former.startTime -= 1;
  CHECK(hasEnded(former));

  go.open();
  child.awaitEnd();
  CHECK(hasEnded(identity));  // a zombie
  CHECK(child.report().empty());
  CHECK(hasEnded(identity));  // no such pid, or by now a stranger's
}

// Pids mean nothing across pid namespaces, so nobody is declared dead by one.
TEST_CASE("identity: nothing is known about other pid namespaces or about nobody", "[sync]") {
  const Child child(stayUntilKilled);
  ProcessIdentity elsewhere = identityOf(child);
  elsewhere.pidNamespace += 1;
  elsewhere.startTime += 1;
  CHECK_FALSE(hasEnded(elsewhere));
  CHECK_FALSE(PinnedProcess(elsewhere).killForSure());
  elsewhere.pidNamespace = 0;
  CHECK_FALSE(hasEnded(elsewhere));
  CHECK_FALSE(PinnedProcess(elsewhere).killForSure());
  CHECK_FALSE(hasEnded({}));
  CHECK_FALSE(PinnedProcess(ProcessIdentity{}).killForSure());
}

// Design §5: only the process that was meant is fenced.
TEST_CASE("identity: killForSure spares itself and whoever has the pid now", "[sync]") {
  const Watchdog watchdog;
  CHECK_FALSE(PinnedProcess(ProcessIdentity::ofThisProcess()).killForSure());
  ProcessIdentity init = ProcessIdentity::ofThisProcess();
  init.pid = 1;
  init.startTime = startTimeOf(1);
  CHECK_FALSE(PinnedProcess(init).killForSure());

  Child child(stayUntilKilled);
  const ProcessIdentity identity = identityOf(child);
  ProcessIdentity former = identity;
  former.startTime -= 1;
  CHECK_FALSE(PinnedProcess(former).killForSure());
  CHECK_FALSE(hasEnded(identity));

  CHECK(PinnedProcess(identity).killForSure());
  CHECK(child.report() == "<signal 9>");
  CHECK_FALSE(PinnedProcess(identity).killForSure());
}

TEST_CASE("identity: a command name full of brackets and digits does not mislead", "[sync]") {
  const Gate named;
  const Child child([&] {
    prctl(PR_SET_NAME, "x) Z 1 (2) 3");
    named.open();
    return stayUntilKilled();
  });
  named.pass();
  CHECK_FALSE(hasEnded(identityOf(child)));
}
