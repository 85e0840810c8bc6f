#include "bin/scenarios/interruption.hpp"

#include <unistd.h>
#include <csignal>

namespace ronde::tool {
namespace {

sigset_t endingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Interruption::Interruption() {
  const sigset_t signals = endingSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = std::thread([this] { wait(); });
}

Interruption::~Interruption() {
  ending_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
}

void Interruption::guard(Communicator* communicator) {
  const std::scoped_lock lock(mutex_);
  communicator_ = communicator;
  if (communicator_ != nullptr && exitCode_ != 0) static_cast<void>(communicator_->stop());
}

void Interruption::wait() {
  const sigset_t signals = endingSignals();
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (ending_) return;
    const std::scoped_lock lock(mutex_);
    exitCode_ = 128 + signal;
    if (communicator_ == nullptr) _exit(exitCode_);
    static_cast<void>(communicator_->stop());
  }
}

}  // namespace ronde::tool
