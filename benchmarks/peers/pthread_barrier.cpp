#include <pthread.h>

#include <atomic>

#include "benchmarks/harness/shared.hpp"
#include "benchmarks/peers/transport.hpp"

namespace ronde::bench {
namespace {

struct State {
  pthread_barrier_t barrier{};
  std::atomic<std::uint64_t> agreed{0};
};

class BarrierEndpoint : public Endpoint {
 public:
  explicit BarrierEndpoint(State& state) : state_(state) {}
  std::span<std::byte> prepare(std::size_t /*size*/) override { throw std::logic_error("no messages"); }
  void send(int /*to*/) override { throw std::logic_error("no messages"); }
  std::span<const std::byte> receive(std::size_t /*size*/) override { throw std::logic_error("no messages"); }
  void barrier() override { pthread_barrier_wait(&state_.barrier); }
  std::uint64_t agree(std::uint64_t mine, int self, int /*n*/) override {
    if (self == 0) state_.agreed = mine;
    barrier();
    return state_.agreed;
  }

 private:
  State& state_;
};

class BarrierTransport : public Transport {
 public:
  explicit BarrierTransport(const Setting& setting) {
    pthread_barrierattr_t attributes;
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&state_->barrier, &attributes, static_cast<unsigned>(setting.n));
  }
  std::unique_ptr<Endpoint> join(int /*self*/) override { return std::make_unique<BarrierEndpoint>(*state_); }

 private:
  Shared<State> state_;
};

}  // namespace

TransportKind pthreadBarrier() {
  return {"pthread-barrier", [](const std::string& pattern, const Setting&) { return pattern == "barrier"; },
          [](const Setting& setting) { return std::make_unique<BarrierTransport>(setting); }};
}

}  // namespace ronde::bench
