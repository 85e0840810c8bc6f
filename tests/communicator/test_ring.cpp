#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/random.hpp"
#include "tests/support/scratch_group.hpp"

using namespace ronde;
using namespace ronde::testing;

TEST_CASE("a message passed 10 000 times round a ring of 8 processes comes back as it was (issue 2, section 6)",
          "[process][stress]") {
  constexpr int kCount = 8;
  constexpr int kRounds = 10'000;
  const ScratchGroup group;
  const std::string original = patternText(200, 8);
  auto children = forkChildren(kCount, [&](int i) -> std::string {
    Communicator com(group.options(i, kCount));
    const MemberId next = (com.id() + 1) % kCount;
    const MemberId before = (com.id() + kCount - 1) % kCount;
    std::string text = original;
    for (int round = 0; round < kRounds; ++round) {
      if (com.id() == 0 && !com.sendTo(text, next)) return "P0 could not send";
      const auto message = com.receive();
      if (!message) return std::string(toString(message.status()));
      if (message->sender != before) return "a message of " + std::to_string(message->sender);
      text = message->text();
      if (com.id() != 0 && !com.sendTo(text, next)) return "could not pass it on";
    }
    if (text != original) return "another message";
    // One send and one delivery per round and process; each adds one to the clock.
    const LamportTime last = com.clock();
    if (com.id() == 0 && last != LamportTime{2} * kCount * kRounds) return "clock " + std::to_string(last);
    return com.synchronize() ? "the same" : "the barrier failed";
  });
  CHECK(reportsOf(children) == std::vector<std::string>(kCount, "the same"));
}
