// Operations within one process, one at a time: for instruction counts and as micro-benchmarks.
//   ronde-operations list
//   ronde-operations count NAME TIMES
//   ronde-operations time NAME SECONDS

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <ronde/ronde.hpp>

#include "benchmarks/harness/sampler.hpp"
#include "ipc/protocol/lamport_clock.hpp"
#include "ipc/sync/slot_lock.hpp"

namespace {

using namespace ronde;

/// Does the operation as many times as told.
using Repeat = std::function<void(std::uint64_t times)>;

struct Operation {
  std::string_view name;
  Repeat (*prepare)();
};

/// A group of one. Its heartbeats are rare, so that they are not counted.
std::shared_ptr<Communicator> lonelyMember() {
  Options options;
  options.group = "operations-" + std::to_string(getpid());
  options.heartbeatInterval = std::chrono::seconds(60);
  options.heartbeatTimeout = std::chrono::seconds(600);
  return std::make_shared<Communicator>(options);
}

void require(bool done) {
  if (!done) throw std::runtime_error("the operation was refused");
}

template <std::size_t size>
Repeat sendAndReceive() {
  return [member = lonelyMember(), sent = std::vector<std::byte>(size),
          received = std::vector<std::byte>(size)](std::uint64_t times) mutable {
    for (; times > 0; --times) {
      require(member->sendTo(sent, 0).ok());
      require(member->receiveInto(received).ok());
    }
  };
}

Repeat publishAndReceive() {
  return [member = lonelyMember(), bytes = std::array<std::byte, 16>{}](std::uint64_t times) mutable {
    for (; times > 0; --times) {
      require(member->publish(std::span<const std::byte>(bytes)).ok());
      require(member->receiveInto(bytes).ok());
    }
  };
}

Repeat passBarrier() {
  return [member = lonelyMember()](std::uint64_t times) {
    for (; times > 0; --times) require(member->synchronize(1).ok());
  };
}

Repeat enterSection() {
  return [member = lonelyMember()](std::uint64_t times) {
    for (; times > 0; --times) {
      auto section = member->requestSC();
      require(section.ok());
      section->release();
    }
  };
}

Repeat tickClock() {
  return [clock = std::make_shared<detail::LamportClock>()](std::uint64_t times) {
    for (; times > 0; --times) clock->tick();
  };
}

Repeat takeLock() {
  struct NobodyDies : detail::OwnerOracle {
    detail::OwnerState ownerState(Member /*owner*/) override { return detail::OwnerState::alive; }
  };
  struct State {
    detail::SlotLock lock;
    NobodyDies oracle;
  };
  return [state = std::make_shared<State>()](std::uint64_t times) {
    const auto deadline = detail::Deadline::in(std::chrono::seconds(10));
    for (; times > 0; --times) {
      require(detail::holdsLock(state->lock.lock({0, 1}, state->oracle, deadline)));
      state->lock.unlock();
    }
  };
}

constexpr Operation kOperations[] = {
    {"clock_tick", tickClock},
    {"lock", takeLock},
    {"send_receive_16", sendAndReceive<16>},
    {"send_receive_1024", sendAndReceive<1024>},
    {"publish_receive_16", publishAndReceive},
    {"barrier_alone", passBarrier},
    {"section", enterSection},
};

/// In batches, so that reading the clock does not show.
bench::Figures time(const Repeat& repeat, double seconds) {
  constexpr int kBatch = 64;
  bench::Sampler sampler(seconds);
  for (bench::Ticks begin = bench::ticks(); sampler.wants(begin);) {
    repeat(kBatch);
    const bench::Ticks end = bench::ticks();
    sampler.add(end - begin, end);
    begin = end;
  }
  return {sampler.figure(kBatch)};
}

int fail() {
  std::fputs("usage: ronde-operations list | count NAME TIMES | time NAME SECONDS\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "list") {
    for (const Operation& operation : kOperations) std::puts(operation.name.data());
    return 0;
  }
  if (argc != 4 || (mode != "count" && mode != "time")) return fail();
  for (const Operation& operation : kOperations) {
    if (operation.name != argv[2]) continue;
    const Repeat repeat = operation.prepare();
    if (mode == "count") {
      repeat(std::strtoull(argv[3], nullptr, 10));
    } else {
      std::puts(bench::encode(time(repeat, std::strtod(argv[3], nullptr))).c_str());
    }
    return 0;
  }
  return fail();
}
