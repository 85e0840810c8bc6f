#include <numeric>
#include <utility>

#include "benchmarks/patterns/patterns.hpp"
#include "benchmarks/patterns/payload.hpp"

namespace ronde::bench {
namespace {

struct Range {
  int first;
  int last;
  [[nodiscard]] int size() const { return last - first + 1; }
};

void sendFor(Endpoint& endpoint, Range receivers, const Work& work) {
  const auto sendAll = [&](Tag tag) {
    for (int to = receivers.first; to <= receivers.last; ++to) {
      fill(endpoint.prepare(work.size), tag);
      endpoint.send(to);
    }
  };
  // The clock is read once per batch, since a read costs as much as half a small message.
  const auto sendUntil = [&](Ticks end, Tag tag) {
    do {
      for (int i = 0; i < 16; ++i) sendAll(tag);
    } while (ticks() < end);
  };
  const Ticks begin = ticks();
  const Ticks warm = begin + ticksOf(work.seconds / 5);
  sendUntil(warm, Tag::warmUp);
  sendUntil(warm + ticksOf(work.seconds), Tag::counted);
  sendAll(Tag::last);
}

/// Messages a second, from the first counted message to the first sender's last.
Figures receiveAll(Endpoint& endpoint, int senders, const Work& work) {
  Ticks begin = 0;
  Ticks end = 0;
  std::uint64_t count = 0;
  int ended = 0;
  while (ended < senders) {
    const Tag tag = read(endpoint.receive(work.size));
    if (tag == Tag::counted) {
      if (begin == 0) begin = ticks();
      if (end == 0) ++count;
    } else if (tag == Tag::last) {
      if (end == 0) end = ticks();
      ++ended;
    }
  }
  return {single(static_cast<double>(count) / (nanoseconds(end - begin) * 1e-9))};
}

}  // namespace

Figures fanIn(Endpoint& endpoint, int self, const Work& work) {
  if (self == 0) return receiveAll(endpoint, work.n - 1, work);
  sendFor(endpoint, {0, 0}, work);
  return {};
}

Figures fanOut(Endpoint& endpoint, int self, const Work& work) {
  if (self != 0) return receiveAll(endpoint, 1, work);
  sendFor(endpoint, {1, work.n - 1}, work);
  return {};
}

Figures combine(const std::vector<Figures>& parts) {
  Figures whole;
  for (const Figures& part : parts) {
    if (part.empty()) continue;
    if (whole.empty()) {
      whole = part;
    } else {
      whole[0].median += part[0].median;
    }
  }
  return whole;
}

}  // namespace ronde::bench
