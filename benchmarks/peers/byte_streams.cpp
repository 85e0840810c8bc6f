#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <system_error>

#include "benchmarks/peers/transport.hpp"

// Pipes and UNIX stream sockets: one per process, into which all others write. Both sides know the sizes, so there
// is no framing; several writers at once are only allowed what the kernel takes in one piece.

namespace ronde::bench {
namespace {

struct Ends {
  int out;
  int in;
};
using MakeEnds = Ends (*)(const Setting&);

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void spin(int file) { fcntl(file, F_SETFL, fcntl(file, F_GETFL) | O_NONBLOCK); }

class StreamEndpoint : public Endpoint {
 public:
  StreamEndpoint(const std::vector<Ends>& all, int self, const Setting& setting)
      : all_(all),
        in_(all.at(static_cast<std::size_t>(self)).in),
        outgoing_(std::max(setting.size, sizeof(std::uint64_t))),
        incoming_(outgoing_.size()) {}

  std::span<std::byte> prepare(std::size_t size) override { return prepared_ = std::span(outgoing_).first(size); }
  void send(int to) override {
    const int file = all_[static_cast<std::size_t>(to)].out;
    for (auto rest = prepared_; !rest.empty();)
      rest = rest.subspan(advance(write(file, rest.data(), rest.size())));
  }
  std::span<const std::byte> receive(std::size_t size) override {
    const auto message = std::span(incoming_).first(size);
    for (auto rest = message; !rest.empty();) rest = rest.subspan(advance(::read(in_, rest.data(), rest.size())));
    return message;
  }

 private:
  static std::size_t advance(ssize_t count) {
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) fail("transfer");
    relax();
    return 0;
  }

  const std::vector<Ends>& all_;
  int in_;
  std::vector<std::byte> outgoing_;
  std::vector<std::byte> incoming_;
  std::span<std::byte> prepared_;
};

class StreamTransport : public Transport {
 public:
  StreamTransport(const Setting& setting, MakeEnds make) : setting_(setting) {
    for (int i = 0; i < setting.n; ++i) {
      all_.push_back(make(setting));
      if (setting.waiting != Waiting::spin) continue;
      spin(all_.back().out);
      spin(all_.back().in);
    }
  }
  ~StreamTransport() override {
    for (const Ends ends : all_) {
      close(ends.out);
      close(ends.in);
    }
  }
  std::unique_ptr<Endpoint> join(int self) override {
    return std::make_unique<StreamEndpoint>(all_, self, setting_);
  }

 private:
  Setting setting_;
  std::vector<Ends> all_;
};

Ends makePipe(const Setting& setting) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) fail("pipe");
  // As large as users without privileges may make it; refused at times, which only costs speed.
  if (setting.size > 32 * 1024) fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
  return {ends[1], ends[0]};
}

Ends makeSocketPair(const Setting& setting) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) fail("socketpair");
  const int bytes = static_cast<int>(std::min<std::size_t>(4 * setting.size, 4 << 20));
  if (setting.size > 32 * 1024) setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  return {ends[1], ends[0]};
}

bool supports(const std::string& pattern, const Setting& setting) {
  return isMessagePattern(pattern) && (setting.n == 2 || setting.size <= PIPE_BUF);
}

TransportKind kind(const char* name, MakeEnds make) {
  return {name, supports,
          [make](const Setting& setting) { return std::make_unique<StreamTransport>(setting, make); }};
}

}  // namespace

TransportKind pipeTransport() { return kind("pipe", makePipe); }
TransportKind socketTransport() { return kind("socket", makeSocketPair); }

}  // namespace ronde::bench
