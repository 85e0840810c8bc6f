#include <set>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::testing;

namespace {

constexpr int kCount = 256;

Options smallOptions(const ScratchGroup& group, int id) {
  Options options = group.options(id, kCount);
  options.mailboxBytes = 64 * 1024;
  options.mailboxMessages = 512;
  options.maxMessage = 4096;
  options.heartbeatInterval = std::chrono::seconds(1);
  options.timeout = std::chrono::seconds(60);
  options.registrationTimeout = std::chrono::seconds(60);
  return options;
}

/// All meet, everybody hears the member 0, and everybody writes to it.
std::string liveInCrowd(const ScratchGroup& group, int i) {
  Communicator com(smallOptions(group, i));
  if (com.size() != kCount) return "saw " + std::to_string(com.size());
  if (!com.synchronize()) return "the barrier failed";
  const int id = com.id();
  if (id == 0) {
    const auto sent = com.publish("bonjour");
    if (sent.acknowledged.size() != kCount) return "publish: " + everything(sent);
  }
  const auto heard = com.receive();
  if (!heard || heard->text() != "bonjour") return "heard nothing";
  if (id != 0) {
    if (!com.sendTo(id, 0)) return "could not answer";
  } else {
    std::set<int> answers;
    while (answers.size() < kCount - 1) {
      const auto answer = com.receive();
      if (!answer) return "answers: " + std::to_string(answers.size());
      if (answer->sender != answer->as<int>()) return "an answer under a wrong sender";
      answers.insert(answer->as<int>());
    }
  }
  return com.synchronize() ? std::to_string(id) : "the last barrier failed";
}

void checkIds(const std::vector<std::string>& reports) {
  std::set<std::string> expected;
  for (int id = 0; id < kCount; ++id) expected.insert(std::to_string(id));
  CHECK(std::set<std::string>(reports.begin(), reports.end()) == expected);
}

}  // namespace

TEST_CASE("256 processes form one group (REGISTER)", "[process][stress]") {
  const ScratchGroup group;
  auto children = forkChildren(kCount, [&](int i) { return liveInCrowd(group, i); });
  checkIds(reportsOf(children));
}

TEST_CASE("256 members in one process form one group (REGISTER)", "[stress]") {
  const ScratchGroup group;
  checkIds(inThreads(kCount, [&](int i) { return liveInCrowd(group, i); }));
}
