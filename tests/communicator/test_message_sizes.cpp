#include <numeric>

#include "tests/support/expect.hpp"
#include "tests/support/random.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

/// Sends `text` by every call there is from member 0 to member 1, which checks each.
std::string sendByEveryCall(const Members& members, const std::string& text) {
  const auto results = inThreads(2, [&](int id) -> std::string {
    Communicator& com = *members[static_cast<std::size_t>(id)];
    if (id == 0) {
      if (!com.sendTo(text, 1)) return "sendTo";
      if (!com.broadcast(text)) return "broadcast";
      if (!com.publish(text)) return "publish";
      if (com.receive()->text() != text) return "publish to itself";
      if (!com.sendToSync(text, 1)) return "sendToSync";
      if (!com.broadcastSync(text, 0)) return "broadcastSync";
      return "";
    }
    for (const Kind kind : {Kind::sendTo, Kind::broadcast, Kind::publish, Kind::sendToSync, Kind::broadcastSync}) {
      const auto message = kind == Kind::sendToSync      ? com.receiveFromSync(0)
                           : kind == Kind::broadcastSync ? com.broadcastSync({}, 0)
                                                         : com.receive();
      if (!message) return std::string(toString(kind)) + ": " + message.outcome().text();
      if (message->kind != kind) return "the order";
      if (message->text() != text) return "the content of " + std::string(toString(kind));
    }
    return "";
  });
  return std::accumulate(results.begin(), results.end(), std::string());
}

}  // namespace

TEST_CASE("messages of every length arrive as they were sent, by every call", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.maxMessage = 100'000;
  const auto members = foundGroup(group, 2, options);
  for (const std::size_t size : {0UL, 1UL, 15UL, 16UL, 17UL, 63UL, 64UL, 65UL, 4095UL, 4096UL, 4097UL, 16383UL,
                                 16384UL, 16385UL, 65535UL, 65536UL, 65537UL, 99'999UL, 100'000UL}) {
    CAPTURE(size);
    CHECK(sendByEveryCall(members, patternText(size, size)).empty());
  }
}

TEST_CASE("a message may be longer than the mailbox: 8 MiB go through 64 KiB", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.mailboxBytes = 64 * 1024;
  options.maxMessage = 8 * 1024 * 1024;
  const auto members = foundGroup(group, 2, options);
  CHECK(sendByEveryCall(members, patternText(options.maxMessage, 8)).empty());
}

TEST_CASE("a long message to oneself needs no room in the own mailbox", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.mailboxBytes = 64 * 1024;
  options.maxMessage = 256 * 1024;
  Communicator com(options);
  for (const std::size_t size : {64UL * 1024, 256UL * 1024}) {
    CAPTURE(size);
    const std::string text = patternText(size, size);
    // Nobody receives meanwhile.
    CHECK(everything(com.sendTo(text, 0)) == "ok, view 1, acknowledged {0}, failed {}, missing {}");
    const auto message = com.receive();
    REQUIRE(message);
    CHECK(message->kind == Kind::sendTo);
    CHECK(message->text() == text);
  }
  CHECK(com.tryReceive().status() == Status::empty);
}

TEST_CASE("a message that is too long is refused by every call, which names both lengths", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.maxMessage = 1000;
  const auto members = foundGroup(group, 2, options);
  Communicator& com = *members[0];
  const std::string text(1001, 'x');
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { static_cast<void>(com.sendTo(text, 1)); }, [&] { static_cast<void>(com.broadcast(text)); },
           [&] { static_cast<void>(com.publish(text)); }, [&] { static_cast<void>(com.sendToSync(text, 1)); },
           [&] { static_cast<void>(com.broadcastSync(text, 0)); }}) {
    const auto error = errorOf([&] {
      call();
      return 0;
    });
    REQUIRE(error);
    CHECK(error->errc() == Errc::messageTooLarge);
    CAPTURE(error->what());
    CHECK(mentions(error->what(), {"1001", "1000", "maxMessage", "RONDE_MAX_MESSAGE"}));
  }
  CHECK(members[1]->tryReceive().status() == Status::empty);
}

TEST_CASE("a long message that is given up half-way is never delivered, and blocks nothing (P2)", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.mailboxBytes = 64 * 1024;
  options.maxMessage = 1024 * 1024;
  const auto members = foundGroup(group, 2, options);
  const std::string text = patternText(options.maxMessage, 1);
  for (int round = 0; round < 3; ++round) {
    const Outcome given = members[0]->sendTo(text, 1, 1ms);  // nobody reads, and it does not fit
    CHECK(everything(given) == "mailbox full, view 1, acknowledged {}, failed {}, missing {1}");
    CHECK(members[1]->tryReceive().status() == Status::empty);
    REQUIRE(members[0]->sendTo("short", 1));
    CHECK(members[1]->receive()->text() == "short");
    BlockedCall receiving([&] { return members[1]->receive(); });
    REQUIRE(members[0]->sendTo(text, 1));
    const auto whole = receiving.result();
    REQUIRE(whole);
    CHECK((whole->text() == text));
    CHECK(members[1]->tryReceive().status() == Status::empty);
  }
}

TEST_CASE("long messages of several senders to one receiver do not mix", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.mailboxBytes = 64 * 1024;
  constexpr int kSenders = 3;
  constexpr std::uint64_t kEach = 20;
  const auto members = foundGroup(group, kSenders + 1, options);
  const auto results = inThreads(kSenders + 1, [&](int id) -> std::string {
    Communicator& com = *members[static_cast<std::size_t>(id)];
    const auto textOf = [](int sender, std::uint64_t number) {
      return patternText(30'000 + 7'001 * number, number * 10 + static_cast<std::uint64_t>(sender));
    };
    if (id != 0) {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        if (!com.sendTo(textOf(id, i), 0)) return "could not send";
      }
      return "";
    }
    std::vector<std::uint64_t> next(kSenders + 1, 0);
    for (std::uint64_t i = 0; i < kSenders * kEach; ++i) {
      const auto message = com.receive();
      if (!message) return "nothing received";
      if (message->text() != textOf(message->sender, next[static_cast<std::size_t>(message->sender)]++)) {
        return "wrong content";
      }
    }
    return "";
  });
  for (const std::string& result : results) CHECK(result.empty());
}
