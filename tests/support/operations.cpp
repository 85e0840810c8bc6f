#include "tests/support/operations.hpp"

#include <ronde/fenced_cell.hpp>
#include <stdexcept>

namespace ronde::testing {
namespace {

constexpr std::size_t kLengths[] = {5, 5'000, 60'000};  // in the cell, in the payload area, a train

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void require(const Outcome& outcome, const std::string& step) {
  if (!outcome.ok()) throw Failure(step + ": " + outcome.text());
}

std::string textOf(MemberId sender, std::size_t length) {
  return std::string(length, static_cast<char>('a' + sender));
}

void expect(Communicator& com, MemberId sender, std::size_t length, const std::string& step) {
  const auto message = com.receive();
  require(message.outcome(), step + ": receive");
  if (message->sender != sender || message->text() != textOf(sender, length)) {
    throw Failure(step + ": got " + std::to_string(message->size) + " bytes of " +
                  std::to_string(message->sender));
  }
}

void mail(Communicator& com) {
  const MemberId me = com.id();
  const int size = com.size();
  for (const std::size_t length : kLengths) {
    require(com.sendTo(textOf(me, length), (me + 1) % size), "sendTo");
    expect(com, (me + size - 1) % size, length, "sendTo");
    for (MemberId sender = 0; sender < size; ++sender) {
      require(com.synchronize(), "synchronize()");
      if (sender == me) require(com.publish(textOf(me, length)), "publish");
      expect(com, sender, length, "publish");
      if (sender == me) require(com.broadcast(textOf(me, length)), "broadcast");
      if (sender != me) expect(com, sender, length, "broadcast");
    }
    require(com.synchronize(size), "synchronize(N)");
  }
}

void meetings(Communicator& com) {
  const MemberId me = com.id();
  const int size = com.size();
  for (MemberId sender = 0; sender < size; ++sender) {
    const auto all = com.broadcastSync(textOf(me, 100), sender);
    require(all.outcome(), "broadcastSync");
    const MemberId receiver = (sender + 1) % size;
    if (sender == receiver) continue;
    if (me == sender) require(com.sendToSync(textOf(me, 100), receiver), "sendToSync");
    if (me == receiver) require(com.receiveFromSync(sender).outcome(), "receiveFromSync");
  }
}

void section(Communicator& com) {
  FencedCell<std::uint64_t> cell(com, "operations");
  const auto held = com.requestSC();
  require(held.outcome(), "requestSC");
  if (cell.write(held->fence(), held->fence()) != Status::ok) throw Failure("FencedCell: not written");
  const auto read = cell.read();
  require(read.outcome(), "FencedCell");
  if (read->value != held->fence() || read->fence != held->fence()) throw Failure("FencedCell: another value");
}

}  // namespace

std::string allOperations(Communicator& com) {
  try {
    static_cast<void>(com.view());  // ids mean the view of now
    require(com.synchronize(), "synchronize()");
    mail(com);
    meetings(com);
    section(com);
    require(com.synchronize(), "synchronize()");
  } catch (const Failure& failure) {
    return com.name() + ": " + failure.what();
  }
  return {};
}

}  // namespace ronde::testing
