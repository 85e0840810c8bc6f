#include "benchmarks/harness/sampler.hpp"
#include "benchmarks/patterns/patterns.hpp"
#include "benchmarks/patterns/payload.hpp"

namespace ronde::bench {

// A ping-pong; half a round trip is one way. From before the payload is written to after it was read, on the other
// side and back.
Figures oneWay(Endpoint& endpoint, int self, const Work& work) {
  if (self == 1) {
    Tag tag = Tag::counted;
    while (tag != Tag::last) {
      tag = read(endpoint.receive(work.size));
      fill(endpoint.prepare(work.size), tag);
      endpoint.send(0);
    }
    return {};
  }
  const auto roundTrip = [&](Tag tag) {
    fill(endpoint.prepare(work.size), tag);
    endpoint.send(1);
    read(endpoint.receive(work.size));
  };
  roundTrip(Tag::warmUp);
  Sampler sampler(work.seconds);
  for (Ticks begin = ticks(); sampler.wants(begin);) {
    roundTrip(Tag::counted);
    const Ticks end = ticks();
    sampler.add(end - begin, end);
    begin = end;
  }
  roundTrip(Tag::last);
  return {sampler.figure(2)};
}

}  // namespace ronde::bench
