#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/random.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/sleeper.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

TEST_CASE("publish reaches everybody, broadcast everybody else, sendTo one (specification, API)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  const auto heardBy = [&](int id) {
    std::string heard;
    while (const auto message = members[static_cast<std::size_t>(id)]->tryReceive()) {
      heard += std::string(toString(message->kind)) + ":" + std::string(message->text()) + " ";
    }
    return heard;
  };
  CHECK(everything(members[1]->publish("a")) == "ok, view 1, acknowledged {0,1,2}, failed {}, missing {}");
  CHECK(everything(members[1]->broadcast("b")) == "ok, view 1, acknowledged {0,2}, failed {}, missing {}");
  CHECK(everything(members[1]->sendTo("c", 2)) == "ok, view 1, acknowledged {2}, failed {}, missing {}");
  CHECK(everything(members[1]->sendTo("d", 1)) == "ok, view 1, acknowledged {1}, failed {}, missing {}");
  CHECK(heardBy(0) == "publish:a broadcast:b ");
  CHECK(heardBy(1) == "publish:a sendTo:d ");
  CHECK(heardBy(2) == "publish:a broadcast:b sendTo:c ");
}

TEST_CASE("a member alone publishes to itself and broadcasts to nobody", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  REQUIRE(com.broadcast("nobody"));
  REQUIRE(com.publish("myself"));
  CHECK(com.receive()->text() == "myself");
  CHECK(com.tryReceive().status() == Status::empty);
}

TEST_CASE("a message says who sent it, when, how and in which view", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  REQUIRE(members[2]->sendTo("x", 0));
  REQUIRE(members[2]->sendTo("hello", 0));
  REQUIRE(members[0]->receive());
  const auto message = members[0]->receive();
  REQUIRE(message);
  CHECK(message->sender == 2);
  CHECK(message->member == members[2]->member());
  CHECK(message->name.view() == "P2");
  CHECK(message->stamp == 2);
  CHECK(message->kind == Kind::sendTo);
  CHECK(message->view == 1);
  CHECK(message->size == 5);
  CHECK(message->text() == "hello");
}

TEST_CASE("messages of one sender arrive in the order sent, whatever their kind and size (FIFO)", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.mailboxBytes = 2 * 1024 * 1024;
  const auto members = foundGroup(group, 3, options);
  const std::size_t sizes[] = {0, 1, 16, 17, 64, 65, 4096, 4097, 16384, 16385, 40'000, 200'000};
  std::vector<std::pair<Kind, std::string>> sent;
  for (const std::size_t size : sizes) {
    for (const Kind kind : {Kind::sendTo, Kind::broadcast, Kind::publish}) {
      const std::string text = patternText(size, sent.size());
      const Outcome outcome = kind == Kind::sendTo      ? members[0]->sendTo(text, 1)
                              : kind == Kind::broadcast ? members[0]->broadcast(text, 0ms)
                                                        : members[0]->publish(text, 0ms);
      // The outbox holds the large broadcasts until they are taken; a refused one is not part of the order.
      if (outcome.acknowledged.contains(1)) sent.emplace_back(kind, text);
    }
  }
  REQUIRE(sent.size() > 30);
  for (const auto& [kind, text] : sent) {
    const auto message = members[1]->tryReceive();
    REQUIRE(message);
    CHECK(message->kind == kind);
    REQUIRE(message->size == text.size());
    CHECK((message->text() == text));  // in brackets: not to be printed
  }
  CHECK(members[1]->tryReceive().status() == Status::empty);
}

TEST_CASE("receive() ends at its deadline, tryReceive() at once (P1)", "[threads]") {
  const ScratchGroup group;
  Options options = group.options("P0");
  options.timeout = 5ms;
  Communicator com(options);
  CHECK(com.receive(1ms).status() == Status::timeout);
  CHECK(com.receive(0ms).status() == Status::timeout);
  CHECK(com.receive().status() == Status::timeout);  // Options::timeout
  CHECK(com.tryReceive().status() == Status::empty);
  std::byte buffer[8];
  CHECK(com.receiveInto(buffer, 1ms).status() == Status::timeout);
  REQUIRE(com.publish("x"));
  CHECK(com.receive(0ms));  // what is there is taken even then
}

TEST_CASE("a blocked receive() wakes for its message", "[threads]") {
  const ScratchGroup group;
  for (const WaitMode mode : {WaitMode::adaptive, WaitMode::block}) {
    Options options = group.options("P0");
    options.waiting = mode;
    const auto members = foundGroup(group, 2, options);
    BlockedCall call([&] { return members[0]->receive(); });
    REQUIRE(members[1]->sendTo("x", 0));
    CHECK(call.result()->text() == "x");
  }
}

TEST_CASE("bytes, strings and plain values are payloads", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  struct Point {
    int x, y;
    bool operator==(const Point&) const = default;
  };
  const auto bytes = pattern(100, 1);
  REQUIRE(com.publish(bytes));
  const auto asBytes = com.receive();
  CHECK(std::equal(bytes.begin(), bytes.end(), asBytes->bytes().begin(), asBytes->bytes().end()));
  REQUIRE(com.publish(std::string("string")));
  CHECK(com.receive()->text() == "string");
  REQUIRE(com.publish(Point{3, -4}));
  const auto point = com.receive();
  CHECK(point->as<Point>() == Point{3, -4});
  const auto error = errorOf([&] { return point->as<char>(); });
  REQUIRE(error);
  CHECK(error->errc() == Errc::invalidArgument);
  CHECK(mentions(error->what(), {"8", "1"}));
}

TEST_CASE("receiveInto() fills the caller's buffer; what does not fit stays (FIFO)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  // In the record, in the mailbox's area, as a train, as a reference.
  for (const std::size_t size : {10UL, 1000UL, 100'000UL}) {
    for (const bool broadcast : {false, true}) {
      const std::string text = patternText(size, size);
      REQUIRE((broadcast ? members[0]->broadcast(text) : members[0]->sendTo(text, 1)));
      REQUIRE(members[0]->sendTo("next", 1));
      std::vector<std::byte> buffer(size);
      const auto error =
          errorOf([&] { return members[1]->receiveInto(std::span(buffer).first(size - 1), 1s).ok(); });
      REQUIRE(error);
      CHECK(error->errc() == Errc::bufferTooSmall);
      CHECK(mentions(error->what(), {std::to_string(size), std::to_string(size - 1)}));

      const auto info = members[1]->receiveInto(buffer, 1s);
      REQUIRE(info);
      CHECK(info->size == size);
      CHECK(info->sender == 0);
      CHECK((text == std::string_view(reinterpret_cast<const char*>(buffer.data()), size)));
      CHECK(members[1]->receive()->text() == "next");
    }
  }
}

TEST_CASE("mail outlives its sender (P2)", "[process]") {
  const ScratchGroup group;
  const Gate ready;
  Child receiver([&] {
    Communicator com(group.options("P0"));
    ready.open();
    awaitView(com, [](const View& view) { return view.departed.size() >= 2; });
    std::string heard;
    while (const auto message = com.tryReceive()) {
      heard += std::string(message->name.view()) + "=" + std::to_string(message->sender) + ":" +
               std::string(message->text().substr(0, 5)) + "/" + std::to_string(message->size) + " ";
    }
    return heard;
  });
  receiver.awaitOpen(ready);
  const auto sendAll = [&](const std::string& name) {
    Communicator com(group.options(name));
    const bool sent = com.sendTo("small", 0) && com.sendTo("train" + std::string(50'000, '.'), 0) &&
                      com.broadcast("large" + std::string(50'000, '.')) && com.publish("publi");
    if (!sent) return std::string("could not send");
    ready.open();
    return name == "killed" ? stayUntilKilled() : std::string("left");
  };
  Child killed([&] { return sendAll("killed"); });
  killed.awaitOpen(ready);
  killed.kill();
  Child leaver([&] { return sendAll("leaver"); });
  CHECK(leaver.report() == "left");
  CHECK(receiver.report() ==
        "killed=-1:small/5 killed=-1:train/50005 killed=-1:large/50005 killed=-1:publi/5 "
        "leaver=-1:small/5 leaver=-1:train/50005 leaver=-1:large/50005 leaver=-1:publi/5 ");
}

TEST_CASE("a newcomer's message bears its name, though the receiver has not looked at the view", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  for (int i = 1; i <= 100; ++i) {
    const std::string name = "guest" + std::to_string(i);
    Communicator guest(group.options(name));
    REQUIRE(guest.sendTo("x", 0));
    const auto message = com.receive();
    REQUIRE(message);
    CHECK(message->name.view() == name);
    CHECK(message->member == guest.member());
    CHECK(message->sender == kUnknownId);  // not in the view that this program has looked at
  }
}

TEST_CASE("counters count user messages, one per addressee", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 3);
  REQUIRE(members[0]->publish("x"));
  REQUIRE(members[0]->broadcast("x"));
  REQUIRE(members[0]->sendTo("x", 1));
  CHECK(members[0]->stats().sent == 6);
  CHECK(members[0]->stats().pending == 1);
  CHECK(members[1]->stats().pending == 3);
  REQUIRE(members[1]->receive());
  REQUIRE(members[1]->receive());
  CHECK(members[1]->stats().received == 2);
  CHECK(members[1]->stats().pending == 1);
  CHECK(members[1]->stats().sent == 0);
  CHECK(members[0]->stats().dropped == 0);
}

TEST_CASE("ids outside the view are refused", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  Communicator& com = *members[0];
  for (const MemberId id : {-1, 2, kMaxMembers, 1 << 30}) {
    for (const auto& call : std::vector<std::function<void()>>{
             [&] { static_cast<void>(com.sendTo("x", id)); }, [&] { static_cast<void>(com.sendToSync("x", id)); },
             [&] { static_cast<void>(com.receiveFromSync(id)); },
             [&] { static_cast<void>(com.broadcastSync("x", id)); }}) {
      const auto error = errorOf([&] {
        call();
        return 0;
      });
      REQUIRE(error);
      CHECK(error->errc() == Errc::invalidArgument);
      CAPTURE(error->what());
      CHECK(mentions(error->what(), {std::to_string(id), "0 to 1"}));
    }
  }
  for (const Member nobody : {Member{}, Member{5000, 1}}) {
    const auto error = errorOf([&] { return com.sendTo("x", nobody); });
    REQUIRE(error);
    CHECK(error->errc() == Errc::invalidArgument);
  }
}
