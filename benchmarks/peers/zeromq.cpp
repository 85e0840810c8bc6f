#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <stdexcept>

#include "benchmarks/peers/transport.hpp"

// A PULL socket per process and a PUSH socket to each process that one sends to. Always blocks: a process that
// polls starves the I/O thread that works for it.

namespace ronde::bench {
namespace {

void check(int result) {
  if (result < 0) throw std::runtime_error(zmq_strerror(zmq_errno()));
}

// In the abstract name space, so there is no file.
std::string address(const std::string& group, int process) {
  return "ipc://@" + group + "." + std::to_string(process);
}

class ZeromqEndpoint : public Endpoint {
 public:
  ZeromqEndpoint(const Setting& setting, int self, std::string group)
      : group_(std::move(group)),
        context_(zmq_ctx_new()),
        in_(zmq_socket(context_, ZMQ_PULL)),
        out_(static_cast<std::size_t>(setting.n)),
        outgoing_(std::max(setting.size, sizeof(std::uint64_t))),
        incoming_(outgoing_.size()) {
    check(zmq_bind(in_, address(group_, self).c_str()));
  }
  ~ZeromqEndpoint() override {
    zmq_close(in_);
    for (void* socket : out_) {
      if (socket != nullptr) zmq_close(socket);
    }
    zmq_ctx_term(context_);
  }

  std::span<std::byte> prepare(std::size_t size) override { return prepared_ = std::span(outgoing_).first(size); }
  void send(int to) override {
    void*& socket = out_[static_cast<std::size_t>(to)];
    if (socket == nullptr) {
      socket = zmq_socket(context_, ZMQ_PUSH);
      check(zmq_connect(socket, address(group_, to).c_str()));
    }
    check(zmq_send(socket, prepared_.data(), prepared_.size(), 0));
  }
  std::span<const std::byte> receive(std::size_t /*size*/) override {
    const int count = zmq_recv(in_, incoming_.data(), incoming_.size(), 0);
    check(count);
    return std::span(incoming_).first(static_cast<std::size_t>(count));
  }

 private:
  std::string group_;
  void* context_;
  void* in_;
  std::vector<void*> out_;
  std::vector<std::byte> outgoing_;
  std::vector<std::byte> incoming_;
  std::span<std::byte> prepared_;
};

class ZeromqTransport : public Transport {
 public:
  explicit ZeromqTransport(const Setting& setting)
      : setting_(setting), group_("ronde-bench-" + std::to_string(getpid())) {}
  std::unique_ptr<Endpoint> join(int self) override {
    return std::make_unique<ZeromqEndpoint>(setting_, self, group_);
  }

 private:
  Setting setting_;
  std::string group_;
};

}  // namespace

TransportKind zeromqTransport() {
  return {"zeromq", [](const std::string& pattern, const Setting&) { return isMessagePattern(pattern); },
          [](const Setting& setting) { return std::make_unique<ZeromqTransport>(setting); }};
}

}  // namespace ronde::bench
