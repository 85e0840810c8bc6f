#include "tests/crash/exercise.hpp"

#include "tests/crash/scenario.hpp"

namespace ronde::crash {
namespace {

template <class Ended>
void requireOk(const Communicator& me, const char* step, const Ended& ended) {
  if (ended.ok()) return;
  if constexpr (requires { ended.text(); }) {
    throw Violation(me.name() + ": " + step + ": " + ended.text());
  } else {
    throw Violation(me.name() + ": " + step + ": " + ended.outcome().text());
  }
}

constexpr std::uint32_t tagOf(std::uint32_t step, int sender) {
  return step * 16 + static_cast<std::uint32_t>(sender);
}

}  // namespace

void Exercise::expectMail(Communicator& me, const char* step, std::set<std::uint32_t> tags) {
  while (!tags.empty()) {
    const auto message = timed([&] { return me.receive(); });
    requireOk(me, (std::string(step) + ": receive").c_str(), message);
    const auto wanted = std::find_if(tags.begin(), tags.end(),
                                     [&](std::uint32_t tag) { return isPattern(message->bytes(), tag); });
    require(wanted != tags.end(), me.name() + ": " + step + ": torn, doubled or foreign message of " +
                                      std::to_string(message->size) + " bytes from '" +
                                      std::string(message->name.view()) + "'");
    tags.erase(wanted);
  }
}

void Exercise::run(Communicator& me) {
  const View view = me.view();
  const int size = view.size();
  const int id = view.idOf(me.member());
  mail(me, id, size);
  rendezvous(me, id, size);
  requireOk(me, "synchronize()", timed([&] { return me.synchronize(); }));
  requireOk(me, "synchronize(N)", timed([&] { return me.synchronize(size); }));
  section(me);
  meet();
  const auto rest = me.tryReceive();
  require(rest.status() == Status::empty,
          me.name() + ": mail is left, or " + std::string(toString(rest.status())));
  meet();
}

void Exercise::mail(Communicator& me, int id, int size) {
  const int next = (id + 1) % size;
  const int previous = (id + size - 1) % size;
  requireOk(me, "sendTo", timed([&] { return me.sendTo(pattern(tagOf(1, id), kSmall), next); }));
  expectMail(me, "sendTo", {tagOf(1, previous)});
  requireOk(me, "sendTo of a train", timed([&] { return me.sendTo(pattern(tagOf(2, id), kTrain), next); }));
  expectMail(me, "sendTo of a train", {tagOf(2, previous)});
  meet();

  std::set<std::uint32_t> everybody;
  for (int sender = 0; sender < size; ++sender) everybody.insert(tagOf(3, sender));
  requireOk(me, "publish", timed([&] { return me.publish(pattern(tagOf(3, id), kSmall)); }));
  expectMail(me, "publish", everybody);
  meet();
  for (const std::size_t length : {kSmall, kByReference}) {
    const std::uint32_t step = length == kSmall ? 4 : 5;
    std::set<std::uint32_t> others;
    for (int sender = 0; sender < size; ++sender) {
      if (sender != id) others.insert(tagOf(step, sender));
    }
    requireOk(me, "broadcast", timed([&] { return me.broadcast(pattern(tagOf(step, id), length)); }));
    expectMail(me, "broadcast", others);
    meet();
  }
}

void Exercise::rendezvous(Communicator& me, int id, int size) {
  for (int sender = 0; sender < size; ++sender) {
    const int receiver = (sender + 1) % size;
    if (id == sender) {
      requireOk(me, "sendToSync", timed([&] { return me.sendToSync(pattern(tagOf(6, id), kSmall), receiver); }));
    } else if (id == receiver) {
      const auto message = timed([&] { return me.receiveFromSync(sender); });
      requireOk(me, "receiveFromSync", message);
      require(isPattern(message->bytes(), tagOf(6, sender)), me.name() + ": sendToSync: torn or foreign message");
    }
    const auto all = timed([&] { return me.broadcastSync(pattern(tagOf(7, id), kSmall), sender); });
    requireOk(me, "broadcastSync", all);
    require(id == sender || isPattern(all->bytes(), tagOf(7, sender)),
            me.name() + ": broadcastSync: torn or foreign message");
  }
}

void Exercise::section(Communicator& me) {
  FencedCell<std::uint64_t> cell(me, "cell");
  for (int round = 0; round < 2; ++round) {
    auto held = timed([&] { return me.requestSC(); });
    requireOk(me, "requestSC", held);
    require(++inside_ == 1, me.name() + ": two members are in the section");
    const std::uint64_t fence = held->fence();
    require(fence > board_.fence,
            me.name() + ": fence " + std::to_string(fence) + " is not above that of an earlier holder");
    board_.fence = fence;
    const Status written = timed([&] { return cell.write(fence, fence); });
    require(written == Status::ok, me.name() + ": FencedCell write: " + std::string(toString(written)));
    const auto read = cell.read();
    require(read.ok() && read->value == fence && read->fence == fence, me.name() + ": FencedCell lost a write");
    --inside_;
    requireOk(me, "releaseSC", timed([&] { return me.releaseSC(); }));
  }
}

}  // namespace ronde::crash
