#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "benchmarks/peers/transport.hpp"

// As for ZeroMQ: a pull socket per process, a push socket to each addressee, and no polling.

namespace ronde::bench {
namespace {

void check(int result) {
  if (result != 0) throw std::runtime_error(nng_strerror(result));
}

// In the abstract name space, so there is no file.
std::string address(const std::string& group, int process) {
  return "abstract://" + group + "." + std::to_string(process);
}

class NngEndpoint : public Endpoint {
 public:
  NngEndpoint(const Setting& setting, int self, std::string group)
      : group_(std::move(group)),
        out_(static_cast<std::size_t>(setting.n)),
        outgoing_(std::max(setting.size, sizeof(std::uint64_t))),
        incoming_(outgoing_.size()) {
    check(nng_pull0_open(&in_));
    check(nng_socket_set_size(in_, NNG_OPT_RECVMAXSZ, 0));
    check(nng_listen(in_, address(group_, self).c_str(), nullptr, 0));
  }
  ~NngEndpoint() override {
    for (const auto& socket : out_) {
      if (socket) nng_close(*socket);
    }
    nng_close(in_);
  }

  std::span<std::byte> prepare(std::size_t size) override { return prepared_ = std::span(outgoing_).first(size); }
  void send(int to) override {
    auto& socket = out_[static_cast<std::size_t>(to)];
    if (!socket) {
      check(nng_push0_open(&socket.emplace()));
      check(nng_dial(*socket, address(group_, to).c_str(), nullptr, 0));
    }
    check(nng_send(*socket, prepared_.data(), prepared_.size(), 0));
  }
  std::span<const std::byte> receive(std::size_t /*size*/) override {
    std::size_t count = incoming_.size();
    check(nng_recv(in_, incoming_.data(), &count, 0));
    return std::span(incoming_).first(count);
  }

 private:
  std::string group_;
  nng_socket in_{};
  std::vector<std::optional<nng_socket>> out_;
  std::vector<std::byte> outgoing_;
  std::vector<std::byte> incoming_;
  std::span<std::byte> prepared_;
};

class NngTransport : public Transport {
 public:
  explicit NngTransport(const Setting& setting)
      : setting_(setting), group_("ronde-bench-nng-" + std::to_string(getpid())) {}
  std::unique_ptr<Endpoint> join(int self) override {
    return std::make_unique<NngEndpoint>(setting_, self, group_);
  }

 private:
  Setting setting_;
  std::string group_;
};

}  // namespace

TransportKind nngTransport() {
  return {"nng", [](const std::string& pattern, const Setting&) { return isMessagePattern(pattern); },
          [](const Setting& setting) { return std::make_unique<NngTransport>(setting); }};
}

}  // namespace ronde::bench
