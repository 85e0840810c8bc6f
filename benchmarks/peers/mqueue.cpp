#include <fcntl.h>
#include <mqueue.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "benchmarks/peers/transport.hpp"

namespace ronde::bench {
namespace {

constexpr long kMessages = 10;            // the limits of a system as installed
constexpr std::size_t kMostBytes = 8192;  // for users without privileges

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

class MqueueEndpoint : public Endpoint {
 public:
  MqueueEndpoint(const std::vector<mqd_t>& all, int self, std::size_t bytes)
      : all_(all), in_(all.at(static_cast<std::size_t>(self))), outgoing_(bytes), incoming_(bytes) {}

  std::span<std::byte> prepare(std::size_t size) override { return prepared_ = std::span(outgoing_).first(size); }
  void send(int to) override {
    const auto* text = reinterpret_cast<const char*>(prepared_.data());
    while (mq_send(all_[static_cast<std::size_t>(to)], text, prepared_.size(), 0) != 0) again("mq_send");
  }
  std::span<const std::byte> receive(std::size_t /*size*/) override {
    for (;;) {
      const ssize_t count = mq_receive(in_, reinterpret_cast<char*>(incoming_.data()), incoming_.size(), nullptr);
      if (count >= 0) return std::span(incoming_).first(static_cast<std::size_t>(count));
      again("mq_receive");
    }
  }

 private:
  static void again(const char* what) {
    if (errno != EAGAIN && errno != EINTR) fail(what);
    relax();
  }

  const std::vector<mqd_t>& all_;
  mqd_t in_;
  std::vector<std::byte> outgoing_;
  std::vector<std::byte> incoming_;
  std::span<std::byte> prepared_;
};

class MqueueTransport : public Transport {
 public:
  explicit MqueueTransport(const Setting& setting) : bytes_(std::max(setting.size, sizeof(std::uint64_t))) {
    mq_attr attributes{};
    attributes.mq_maxmsg = kMessages;
    attributes.mq_msgsize = static_cast<long>(bytes_);
    const int flags = O_CREAT | O_EXCL | O_RDWR | (setting.waiting == Waiting::spin ? O_NONBLOCK : 0);
    for (int i = 0; i < setting.n; ++i) {
      const std::string name = "/ronde-bench-" + std::to_string(getpid());
      const mqd_t queue = mq_open(name.c_str(), flags, 0600, &attributes);
      if (queue < 0) fail("mq_open");
      mq_unlink(name.c_str());
      all_.push_back(queue);
    }
  }
  ~MqueueTransport() override {
    for (const mqd_t queue : all_) mq_close(queue);
  }
  std::unique_ptr<Endpoint> join(int self) override {
    return std::make_unique<MqueueEndpoint>(all_, self, bytes_);
  }

 private:
  std::size_t bytes_;
  std::vector<mqd_t> all_;
};

}  // namespace

TransportKind mqueueTransport() {
  return {"mqueue",
          [](const std::string& pattern, const Setting& setting) {
            return isMessagePattern(pattern) && setting.size <= kMostBytes;
          },
          [](const Setting& setting) { return std::make_unique<MqueueTransport>(setting); }};
}

}  // namespace ronde::bench
