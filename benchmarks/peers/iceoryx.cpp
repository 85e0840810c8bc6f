#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <stdexcept>
#include <thread>

#include "benchmarks/harness/processes.hpp"
#include "benchmarks/peers/transport.hpp"

// Zero copy: the payload is written and read where it lies. Between two processes, since a chunk belongs to one
// topic from the beginning. Its daemon runs while the transport exists.

namespace ronde::bench {
namespace {

class Daemon {
 public:
  Daemon() : pid_(forkBound(SIGTERM)) {
    if (pid_ != 0) return;
    const int null = open("/dev/null", O_RDWR);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    execlp("iox-roudi", "iox-roudi", "--log-level", "off", nullptr);
    _exit(127);
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() {
    kill(pid_, SIGTERM);  // upon which it removes its shared memory
    waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_;
};

iox::capro::ServiceDescription topicTo(int process) {
  return {"ronde-bench", "to", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, std::to_string(process))};
}

iox::popo::PublisherOptions publisherOptions() {
  iox::popo::PublisherOptions options;
  options.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
  return options;
}

iox::popo::SubscriberOptions subscriberOptions() {
  iox::popo::SubscriberOptions options;
  options.queueCapacity = 16;
  options.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
  return options;
}

class IceoryxEndpoint : public Endpoint {
 public:
  IceoryxEndpoint(int self, bool spins)
      : publisher_(topicTo(1 - self), publisherOptions()),
        subscriber_(topicTo(self), subscriberOptions()),
        spins_(spins) {
    while (!publisher_.hasSubscribers() || subscriber_.getSubscriptionState() != iox::SubscribeState::SUBSCRIBED) {
      std::this_thread::yield();
    }
    if (!spins_ && waitSet_.attachState(subscriber_, iox::popo::SubscriberState::HAS_DATA).has_error()) {
      throw std::runtime_error("attachState failed");
    }
  }
  ~IceoryxEndpoint() override {
    if (received_ != nullptr) subscriber_.release(received_);
  }

  std::span<std::byte> prepare(std::size_t size) override {
    auto chunk = publisher_.loan(static_cast<std::uint32_t>(size));
    if (chunk.has_error()) throw std::runtime_error("no chunk to loan");
    prepared_ = chunk.value();
    return {static_cast<std::byte*>(prepared_), size};
  }
  void send(int /*to*/) override { publisher_.publish(prepared_); }
  std::span<const std::byte> receive(std::size_t size) override {
    if (received_ != nullptr) subscriber_.release(received_);
    for (;;) {
      auto chunk = subscriber_.take();
      if (!chunk.has_error()) {
        received_ = chunk.value();
        return {static_cast<const std::byte*>(received_), size};
      }
      if (spins_) {
        relax();
      } else {
        waitSet_.wait();
      }
    }
  }

 private:
  iox::popo::UntypedPublisher publisher_;
  iox::popo::UntypedSubscriber subscriber_;
  iox::popo::WaitSet<> waitSet_;
  bool spins_;
  void* prepared_ = nullptr;
  const void* received_ = nullptr;
};

class IceoryxTransport : public Transport {
 public:
  explicit IceoryxTransport(const Setting& setting) : spins_(setting.waiting == Waiting::spin) {}
  std::unique_ptr<Endpoint> join(int self) override {
    iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kOff,
                                                             iox::log::LogLevelOutput::kHideLogLevel);
    iox::runtime::PoshRuntime::initRuntime(
        iox::RuntimeName_t(iox::cxx::TruncateToCapacity, "ronde-bench-" + std::to_string(getpid())));
    return std::make_unique<IceoryxEndpoint>(self, spins_);
  }

 private:
  Daemon daemon_;
  bool spins_;
};

}  // namespace

TransportKind iceoryxTransport() {
  return {"iceoryx",
          [](const std::string& pattern, const Setting& setting) {
            return isMessagePattern(pattern) && setting.n == 2;
          },
          [](const Setting& setting) { return std::make_unique<IceoryxTransport>(setting); }};
}

}  // namespace ronde::bench
