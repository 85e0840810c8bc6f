// A message is cut off at the one instruction that matters: in the middle of its bytes, and at the lock.

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <span>
#include <thread>

#include "ipc/mailbox/mailbox.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/child.hpp"
#include "tests/support/mail.hpp"
#include "tests/support/stub_oracle.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

constexpr std::size_t kLength = 5000;

/// A payload whose second part must not be read: whoever copies it dies while it does.
std::span<const std::byte> deadlyPayload() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* const pages = mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw std::bad_alloc();
  mprotect(static_cast<std::byte*>(pages) + page, page, PROT_NONE);
  return {static_cast<const std::byte*>(pages) + page - kLength / 2, kLength};
}

}  // namespace

// P2, SYNC: mail-commit. The payload lies there whole before the record exists.
TEST_CASE("mailbox: a producer that dies while it copies the payload leaves no message", "[mailbox]") {
  const Watchdog watchdog;
  const BareGroup group(2);
  BareMember& owner = group[0];
  Child victim([&]() -> std::string {
    BareMember self(group.options(), "victim");
    if (self.admit() != Admission::admitted) return "not admitted";
    static_cast<void>(mailboxOf(owner, self).pushWhole(envelopeOf(self.self, 1), deadlyPayload(), soon()));
    return "lives";
  });
  CHECK(victim.report() == "<signal 11>");
  CHECK(take(owner).status == TakeStatus::nothing);
  const Bytes bytes(kLength, std::byte{7});
  REQUIRE(push(group[1], owner, 2, bytes) == PushResult::pushed);  // its lock is taken over
  CHECK(take(owner).bytes == bytes);
  CHECK(take(owner).status == TakeStatus::nothing);
}

// P5, SYNC: intent. What was not whole in the outbox is nobody's to deliver.
TEST_CASE("outbox: a sender that dies while it copies a broadcast has committed nothing", "[mailbox]") {
  const Watchdog watchdog;
  const BareGroup group(2);
  Child victim([&]() -> std::string {
    BareMember self(group.options(), "victim");
    if (self.admit() != Admission::admitted) return "not admitted";
    const auto block = self.outbox.allocate(kLength);
    if (!block) return "no room";
    const std::array addressees{group[0].self, group[1].self};
    self.outbox.commit(*block, envelopeOf(self.self, 1, Kind::broadcast), deadlyPayload(), addressees);
    return "lives";
  });
  CHECK(victim.report() == "<signal 11>");
  int blocks = 0;
  forEachBlock(group.segment(), 2, [&](const Block& block) {
    ++blocks;
    CHECK(block.phase() == BlockPhase::writing);
  });
  CHECK(blocks == 1);
}

// SYNC: departure. A push may have waited at the lock for a while: both sides are asked again once it has it.
TEST_CASE("mailbox: a push that waited at the lock is refused if either side departed meanwhile", "[mailbox]") {
  enum class Cause { receiverDeparted, senderDeparted, senderRetired };
  const Watchdog watchdog;
  const BareGroup group(3);
  const Cause cause = GENERATE(Cause::receiverDeparted, Cause::senderDeparted, Cause::senderRetired);
  CAPTURE(static_cast<int>(cause));
  const BareMember& gone = group[cause == Cause::receiverDeparted ? 0 : 1];
  SlotLock& lock = group.segment().mailbox(0).producers;
  REQUIRE(holdsLock(lock.lock(group[2].self, group[2].liveness, soon())));
  PushResult result{};
  std::thread pushing([&] { result = push(group[1], group[0], 1, bytesOf("late")); });
  // It has asked once when it sleeps at the lock.
  while ((wordOf(lock).load() >> 31) == 0) std::this_thread::yield();
  if (cause == Cause::senderRetired) {
    group[1].liveness.retire();
  } else {
    gone.setPhase(Phase::departed, Departure::silent);
  }
  lock.unlock();
  pushing.join();
  CHECK(result == PushResult::refused);
  CHECK(wordOf(lock) == 0);
  gone.setPhase(Phase::active);
  CHECK_FALSE(take(group[0]).isMessage());
}
