#include <algorithm>

#include "benchmarks/harness/sampler.hpp"
#include "benchmarks/patterns/patterns.hpp"
#include "benchmarks/patterns/payload.hpp"

namespace ronde::bench {
namespace {

/// Process 0 times `send(tag)` again and again; the others `receive()` until told that it was the last.
template <class Send, class Receive>
Figures timeSends(int self, const Work& work, Send send, Receive receive) {
  if (self != 0) {
    while (receive() != Tag::last) {
    }
    return {};
  }
  send(Tag::warmUp);
  Sampler sampler(work.seconds);
  for (Ticks begin = ticks(); sampler.wants(begin);) {
    send(Tag::counted);
    const Ticks end = ticks();
    sampler.add(end - begin, end);
    begin = end;
  }
  send(Tag::last);
  return {sampler.figure()};
}

}  // namespace

Figures rendezvous(Endpoint& endpoint, int self, const Work& work) {
  return timeSends(
      self, work,
      [&](Tag tag) {
        fill(endpoint.prepare(work.size), tag);
        endpoint.sendSync(1);
      },
      [&] { return read(endpoint.receiveSync(0, work.size)); });
}

Figures broadcastSync(Endpoint& endpoint, int self, const Work& work) {
  return timeSends(
      self, work,
      [&](Tag tag) {
        fill(endpoint.prepare(work.size), tag);
        endpoint.broadcastSync(work.n);
      },
      [&] { return read(endpoint.receiveBroadcast(work.size)); });
}

// Rounds in a tight loop, from return to return as process 0 sees it. All must make the same number of rounds, so
// it is agreed upon after some for warming up.
Figures barrier(Endpoint& endpoint, int self, const Work& work) {
  constexpr int kWarmUp = 10;
  endpoint.barrier();
  const Ticks begin = ticks();
  for (int i = 0; i < kWarmUp; ++i) endpoint.barrier();
  const double each = nanoseconds(ticks() - begin) * 1e-9 / kWarmUp;
  const double wanted = std::clamp(work.seconds * 1.2 / each, 10., 300'000.);
  const std::uint64_t rounds = endpoint.agree(static_cast<std::uint64_t>(wanted), self, work.n);

  Sampler sampler(work.seconds, 0);
  Ticks last = ticks();
  for (std::uint64_t i = 0; i < rounds; ++i) {
    endpoint.barrier();
    const Ticks now = ticks();
    sampler.add(now - last, now);
    last = now;
  }
  if (self != 0) return {};
  return {sampler.figure()};
}

}  // namespace ronde::bench
