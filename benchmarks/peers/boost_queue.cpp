#include <unistd.h>

#include <algorithm>
#include <boost/interprocess/ipc/message_queue.hpp>

#include "benchmarks/peers/transport.hpp"

namespace ronde::bench {
namespace {

namespace bi = boost::interprocess;
using Queues = std::vector<std::unique_ptr<bi::message_queue>>;

class BoostEndpoint : public Endpoint {
 public:
  BoostEndpoint(const Queues& all, int self, std::size_t bytes, bool spins)
      : all_(all),
        in_(*all.at(static_cast<std::size_t>(self))),
        spins_(spins),
        outgoing_(bytes),
        incoming_(bytes) {}

  std::span<std::byte> prepare(std::size_t size) override { return prepared_ = std::span(outgoing_).first(size); }
  void send(int to) override {
    bi::message_queue& queue = *all_[static_cast<std::size_t>(to)];
    if (!spins_) return queue.send(prepared_.data(), prepared_.size(), 0);
    while (!queue.try_send(prepared_.data(), prepared_.size(), 0)) relax();
  }
  std::span<const std::byte> receive(std::size_t /*size*/) override {
    bi::message_queue::size_type size = 0;
    unsigned priority = 0;
    if (!spins_) {
      in_.receive(incoming_.data(), incoming_.size(), size, priority);
    } else {
      while (!in_.try_receive(incoming_.data(), incoming_.size(), size, priority)) relax();
    }
    return std::span(incoming_).first(size);
  }

 private:
  const Queues& all_;
  bi::message_queue& in_;
  bool spins_;
  std::vector<std::byte> outgoing_;
  std::vector<std::byte> incoming_;
  std::span<std::byte> prepared_;
};

class BoostTransport : public Transport {
 public:
  explicit BoostTransport(const Setting& setting)
      : bytes_(std::max(setting.size, sizeof(std::uint64_t))), spins_(setting.waiting == Waiting::spin) {
    const std::size_t messages = std::clamp<std::size_t>((1 << 20) / bytes_, 4, 1024);
    const std::string name = "ronde-bench-" + std::to_string(getpid());
    for (int i = 0; i < setting.n; ++i) {
      all_.push_back(std::make_unique<bi::message_queue>(bi::create_only, name.c_str(), messages, bytes_));
      bi::message_queue::remove(name.c_str());
    }
  }
  std::unique_ptr<Endpoint> join(int self) override {
    return std::make_unique<BoostEndpoint>(all_, self, bytes_, spins_);
  }

 private:
  std::size_t bytes_;
  bool spins_;
  Queues all_;
};

}  // namespace

TransportKind boostTransport() {
  return {"boost", [](const std::string& pattern, const Setting&) { return isMessagePattern(pattern); },
          [](const Setting& setting) { return std::make_unique<BoostTransport>(setting); }};
}

}  // namespace ronde::bench
