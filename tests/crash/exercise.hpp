#pragma once

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <ronde/ronde.hpp>
#include <set>
#include <stdexcept>

#include "tests/crash/board.hpp"

namespace ronde::crash {

/// Thrown by a survivor: an invariant does not hold, or a call did not end as it must.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline void require(bool holds, const std::string& what) {
  if (!holds) throw Violation(what);
}

/// What the survivors' threads share.
class Exercise {
 public:
  Exercise(Board& board, int members) : board_(board), meeting_(members) {}

  /// The whole set of operations among all members of the view, which are this object's `members`; each calls it.
  void run(Communicator& me);
  void meet() { meeting_.arrive_and_wait(); }

  /// Runs one call of the library, and notes how long it took.
  template <class Call>
  auto timed(Call call) {
    const auto start = std::chrono::steady_clock::now();
    auto result = call();
    const std::int64_t took = std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
    std::int64_t worst = board_.worstCallNs;
    while (took > worst && !board_.worstCallNs.compare_exchange_weak(worst, took)) {
    }
    return result;
  }

 private:
  void expectMail(Communicator& me, const char* step, std::set<std::uint32_t> tags);
  void mail(Communicator& me, int id, int size);
  void rendezvous(Communicator& me, int id, int size);
  void section(Communicator& me);

  Board& board_;
  std::barrier<> meeting_;
  std::atomic<int> inside_{0};
};

}  // namespace ronde::crash
