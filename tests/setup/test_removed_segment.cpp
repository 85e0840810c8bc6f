// The segment's name taken away from a group in use, as systemd's RemoveIPC does when a user logs out: the members
// keep what they have mapped; who comes later founds a group of its own.

#include <unistd.h>

#include <ronde/inspect.hpp>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/operations.hpp"
#include "tests/support/scratch_group.hpp"

using namespace ronde;
using namespace ronde::testing;

TEST_CASE(
    "members of a group whose segment was removed go on, see a death, and leave others' segment alone (F4, P7)",
    "[process]") {
  const ScratchGroup group;
  const Gate done;
  Child second([&]() -> std::string {
    Communicator com(group.options(1, 3));
    if (auto fault = allOperations(com); !fault.empty()) return fault;
    done.open();
    return stayUntilKilled();
  });
  Child third([&]() -> std::string {
    Communicator com(group.options(2, 3));
    if (auto fault = allOperations(com); !fault.empty()) return fault;
    done.open();
    awaitSize(com, 2);
    if (auto fault = allOperations(com); !fault.empty()) return "without the name: " + fault;
    return com.stop() ? "" : "did not stop";
  });
  Communicator com(group.options(0, 3));
  REQUIRE(allOperations(com) == "");
  second.awaitOpen(done);
  third.awaitOpen(done);

  REQUIRE(unlink(group.path().c_str()) == 0);
  Communicator stranger(group.options("stranger"));
  CHECK(stranger.size() == 1);
  second.kill();
  awaitSize(com, 2);
  CHECK(allOperations(com) == "");
  CHECK(third.report() == "");
  REQUIRE(com.stop());
  removeStaleSegments();
  CHECK(group.exists());
  CHECK(allOperations(stranger) == "");
}
