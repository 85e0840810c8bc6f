#include <unistd.h>

#include <algorithm>
#include <optional>

#include "benchmarks/peers/locks.hpp"
#include "benchmarks/peers/ronde_options.hpp"

namespace ronde::bench {

std::string newGroup() { return "bench-" + std::to_string(getpid()); }
std::string memberName(int process) { return "member" + std::to_string(process); }

Options optionsFor(const Setting& setting, int self, const std::string& group) {
  Options options;
  options.group = group;
  options.name = memberName(self);
  options.expected = setting.n;
  options.maxMessage = std::max(options.maxMessage, setting.size);
  options.waiting = setting.waiting == Waiting::spin    ? WaitMode::busy
                    : setting.waiting == Waiting::block ? WaitMode::block
                                                        : WaitMode::adaptive;
  return options;
}

namespace {

class RondeEndpoint : public Endpoint {
 public:
  RondeEndpoint(const Setting& setting, int self, const std::string& group)
      : communicator_(optionsFor(setting, self, group)),
        n_(setting.n),
        outgoing_(std::max(setting.size, sizeof(std::uint64_t))),
        incoming_(outgoing_.size()) {
    // Ids are given in order of arrival.
    const View view = communicator_.view();
    for (int i = 0; i < n_; ++i) ids_.push_back(view.idOf(memberName(i)));
  }

  std::span<std::byte> prepare(std::size_t size) override { return prepared_ = std::span(outgoing_).first(size); }
  void send(int to) override { require(communicator_.sendTo(prepared_, id(to))); }
  std::span<const std::byte> receive(std::size_t /*size*/) override {
    const Result<MessageInfo> info = communicator_.receiveInto(incoming_);
    require(info.outcome());
    return std::span(incoming_).first(info->size);
  }
  void sendSync(int to) override { require(communicator_.sendToSync(prepared_, id(to))); }
  std::span<const std::byte> receiveSync(int from, std::size_t /*size*/) override {
    return keep(communicator_.receiveFromSync(id(from)));
  }
  void broadcastSync(int /*n*/) override { require(communicator_.broadcastSync(prepared_, id(0)).outcome()); }
  std::span<const std::byte> receiveBroadcast(std::size_t /*size*/) override {
    return keep(communicator_.broadcastSync({}, id(0)));
  }
  void barrier() override { require(communicator_.synchronize(n_)); }

 private:
  [[nodiscard]] MemberId id(int process) const { return ids_[static_cast<std::size_t>(process)]; }
  std::span<const std::byte> keep(Result<Message> message) {
    require(message.outcome());
    kept_ = std::move(*message);
    return kept_.bytes();
  }

  Communicator communicator_;
  int n_;
  std::vector<MemberId> ids_;
  std::vector<std::byte> outgoing_;
  std::vector<std::byte> incoming_;
  std::span<std::byte> prepared_;
  Message kept_;
};

class RondeTransport : public Transport {
 public:
  explicit RondeTransport(const Setting& setting) : setting_(setting), group_(newGroup()) {}
  ~RondeTransport() override { removeStaleSegments(); }  // after a failed run
  std::unique_ptr<Endpoint> join(int self) override {
    return std::make_unique<RondeEndpoint>(setting_, self, group_);
  }

 private:
  Setting setting_;
  std::string group_;
};

class RondeSection : public Lock {
 public:
  RondeSection(const Setting& setting, int self, const std::string& group)
      : communicator_(optionsFor(setting, self, group)) {}
  void lock() override {
    Result<Section> section = communicator_.requestSC();
    require(section.outcome());
    section_.emplace(std::move(*section));
  }
  void unlock() override { section_.reset(); }

 private:
  Communicator communicator_;
  std::optional<Section> section_;
};

class RondeLockMaker : public LockMaker {
 public:
  explicit RondeLockMaker(const Setting& setting) : setting_(setting), group_(newGroup()) {}
  ~RondeLockMaker() override { removeStaleSegments(); }
  std::unique_ptr<Lock> join(int self) override { return std::make_unique<RondeSection>(setting_, self, group_); }

 private:
  Setting setting_;
  std::string group_;
};

}  // namespace

LockKind rondeSection() {
  return {"ronde", [](const Setting& setting) { return std::make_unique<RondeLockMaker>(setting); }};
}

TransportKind rondeTransport() {
  return {"ronde", [](const std::string&, const Setting&) { return true; },
          [](const Setting& setting) { return std::make_unique<RondeTransport>(setting); }};
}

}  // namespace ronde::bench
