// Users without privileges: what ronde needs, every user has; and a group is its user's.

#include <grp.h>
#include <unistd.h>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/operations.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/skip.hpp"

using namespace ronde;
using namespace ronde::testing;

namespace {

constexpr uid_t kSomebody = 54321;
constexpr uid_t kSomebodyElse = 54322;

bool become(uid_t user) { return setgroups(0, nullptr) == 0 && setgid(user) == 0 && setuid(user) == 0; }

}  // namespace

TEST_CASE("processes of a user without privileges form a group, and see each other die (F1)", "[process]") {
  if (geteuid() != 0) return skip("only root can become other users");
  const ScratchGroup group;
  const Gate done;
  Child mortal([&]() -> std::string {
    if (!become(kSomebody)) return "cannot become another user";
    Communicator com(group.options(1, 2));
    if (auto fault = allOperations(com); !fault.empty()) return fault;
    done.open();
    return stayUntilKilled();
  });
  Child witness([&]() -> std::string {
    if (!become(kSomebody)) return "cannot become another user";
    Communicator com(group.options(0, 2));
    if (auto fault = allOperations(com); !fault.empty()) return fault;
    awaitSize(com, 1);
    return allOperations(com);
  });
  mortal.awaitOpen(done);
  mortal.kill();
  CHECK(witness.report() == "");
}

// A file of another user under the name of ours: tests/communicator/test_segment_refusals.cpp.
TEST_CASE("groups of one name that belong to different users do not meet (P8)", "[process]") {
  if (geteuid() != 0) return skip("only root can become other users");
  const ScratchGroup group;
  const Gate founded;
  const Gate tried;
  const auto alone = [&](const Communicator& com) { return com.size() == 1 ? "" : "met somebody"; };
  Child owner([&]() -> std::string {
    if (!become(kSomebody)) return "cannot become another user";
    Communicator com(group.options("P0"));
    founded.open();
    tried.pass();
    return alone(com);
  });
  owner.awaitOpen(founded);
  Child stranger([&]() -> std::string {
    if (!become(kSomebodyElse)) return "cannot become another user";
    return alone(Communicator(group.options("P0")));
  });
  CHECK(stranger.report() == "");
  const Communicator root(group.options("P0"));
  CHECK(root.size() == 1);
  tried.open();
  CHECK(owner.report() == "");
}
