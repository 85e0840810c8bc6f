#include "tests/support/every_instruction.hpp"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <stdexcept>

#include "tests/support/skip.hpp"

namespace ronde::testing {

#if defined(__x86_64__)

namespace {

const std::function<void()>* lookNow = nullptr;
std::uint64_t instructions = 0;

void onTrap(int) {
  const int error = errno;
  ++instructions;
  (*lookNow)();
  errno = error;
}

/// While it lives, each instruction of this thread raises SIGTRAP; the kernel spares the handler's own.
class SingleSteps {
 public:
  explicit SingleSteps(const std::function<void()>& look) {
    lookNow = &look;
    instructions = 0;
    struct sigaction action {};
    action.sa_handler = onTrap;
    if (sigaction(SIGTRAP, &action, &before_) != 0) throw std::runtime_error("SIGTRAP cannot be caught");
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | kTrapFlag);
  }
  SingleSteps(const SingleSteps&) = delete;
  SingleSteps& operator=(const SingleSteps&) = delete;
  ~SingleSteps() {
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~kTrapFlag);
    sigaction(SIGTRAP, &before_, nullptr);
  }

 private:
  static constexpr unsigned long long kTrapFlag = 0x100;
  struct sigaction before_ {};
};

}  // namespace

void atEveryInstruction(const std::function<void()>& body, const std::function<void()>& look) {
  {
    const SingleSteps steps(look);
    body();
  }
  if (instructions == 0) throw std::runtime_error("the trap flag has no effect here");
}

#else

void atEveryInstruction(const std::function<void()>&, const std::function<void()>&) {
  skip("single steps are made on x86-64 only");
}

#endif

}  // namespace ronde::testing
