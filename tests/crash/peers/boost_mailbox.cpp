// The kill enumeration of the explorer on what people write with Boost.Interprocess: a ring of messages under an
// interprocess_mutex, with an interprocess_condition for each direction. A victim dies after instruction k of
// push() or pop(); a survivor then has a second for one push and one pop.

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <new>
#include <nlohmann/json.hpp>

#include "tests/crash/shared_memory.hpp"
#include "tests/crash/tracee.hpp"

namespace {

namespace bip = boost::interprocess;
using Lock = bip::scoped_lock<bip::interprocess_mutex>;

constexpr int kSurvivorMs = 1000;

boost::posix_time::ptime inMilliseconds(int count) {
  return boost::posix_time::microsec_clock::universal_time() + boost::posix_time::milliseconds(count);
}

class Mailbox {
 public:
  static constexpr std::size_t kBytes = 64;

  [[nodiscard]] bool push(const std::array<char, kBytes>& message) {
    Lock lock(mutex_, inMilliseconds(kSurvivorMs));
    if (!lock.owns()) return false;
    while (tail_ - head_ == ring_.size()) {
      if (!notFull_.timed_wait(lock, inMilliseconds(kSurvivorMs))) return false;
    }
    ring_[tail_ % ring_.size()] = message;
    ++tail_;
    notEmpty_.notify_one();
    return true;
  }
  [[nodiscard]] bool pop(std::array<char, kBytes>& message) {
    Lock lock(mutex_, inMilliseconds(kSurvivorMs));
    if (!lock.owns()) return false;
    while (tail_ == head_) {
      if (!notEmpty_.timed_wait(lock, inMilliseconds(kSurvivorMs))) return false;
    }
    message = ring_[head_ % ring_.size()];
    ++head_;
    notFull_.notify_one();
    return true;
  }

 private:
  bip::interprocess_mutex mutex_;
  bip::interprocess_condition notEmpty_;
  bip::interprocess_condition notFull_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::array<std::array<char, kBytes>, 16> ring_{};
};

enum class Op { push, pop };

[[noreturn]] void runVictim(Mailbox& mailbox, Op op) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  std::array<char, Mailbox::kBytes> message{};
  bool done = mailbox.push(message);
  ronde::crash::markBegin();
  done = op == Op::push ? mailbox.push(message) : mailbox.pop(message);
  ronde::crash::markEnd();
  _exit(done ? 0 : 1);
}

/// True if a survivor could go on.
bool explore(Mailbox& mailbox, Op op, std::uint64_t k, bool& ended) {
  new (&mailbox) Mailbox;
  const pid_t victim = fork();
  if (victim == 0) runVictim(mailbox, op);
  auto tracee = ronde::crash::Tracee::atMark(victim);
  ended = tracee.step(k, {}) != ronde::crash::Tracee::End::steps;
  kill(victim, SIGKILL);
  for (int status = 0; waitpid(victim, &status, __WALL) == victim && WIFSTOPPED(status);) {
  }
  const pid_t survivor = fork();
  if (survivor == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(5);
    std::array<char, Mailbox::kBytes> message{};
    _exit(mailbox.push(message) && mailbox.pop(message) ? 0 : 1);
  }
  int status = 0;
  waitpid(survivor, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t stride = 1;
  std::string json;
  CLI::App app{"Kills a member after each instruction of push and pop of a Boost.Interprocess mailbox."};
  app.add_option("--stride", stride, "every N-th instruction")->check(CLI::PositiveNumber);
  app.add_option("--json", json, "writes the rows to FILE")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);
  auto* const mailbox = ronde::crash::sharedMemory<Mailbox>(1);
  nlohmann::json rows = nlohmann::json::array();
  std::printf("%-6s %7s %7s %s\n", "op", "points", "stuck", "survivors go on");
  for (const Op op : {Op::push, Op::pop}) {
    std::uint64_t points = 0;
    std::uint64_t stuck = 0;
    bool ended = false;
    for (std::uint64_t k = 0; !ended; k += stride) {
      stuck += explore(*mailbox, op, k, ended) ? 0 : 1;
      ++points;
    }
    const char* const name = op == Op::push ? "push" : "pop";
    std::printf("%-6s %7llu %7llu %.1f %%\n", name, static_cast<unsigned long long>(points),
                static_cast<unsigned long long>(stuck),
                100.0 * static_cast<double>(points - stuck) / static_cast<double>(points));
    rows.push_back({{"op", name}, {"points", points}, {"stuck", stuck}});
  }
  if (!json.empty()) std::ofstream(json) << rows.dump(1) << '\n';
  return 0;
}
