#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <ronde/types.hpp>

#include "ipc/sync/futex.hpp"

namespace ronde::crash {

using Nanoseconds = std::chrono::nanoseconds;

/// Whoever waits this long for somebody else waits for the dead: far above what any call needs.
inline constexpr std::chrono::seconds kPatience{10};

/// A door between processes that opens once.
class Gate {
 public:
  void open() noexcept {
    word_.store(1, std::memory_order_seq_cst);
    detail::futexWakeAll(word_);
  }
  [[nodiscard]] bool isOpen() const noexcept { return word_.load(std::memory_order_seq_cst) != 0; }
  /// False if it was still closed after `limit`.
  [[nodiscard]] bool await(Nanoseconds limit) const noexcept {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!isOpen()) {
      const Nanoseconds left = until - std::chrono::steady_clock::now();
      if (left.count() <= 0) return false;
      detail::futexWait(word_, 0, left);
    }
    return true;
  }

 private:
  detail::Word word_{0};
};

/// What the explorer, the victim and the survivors of one point share: anonymous memory, made before they fork, so
/// that it stays readable whoever dies.
struct Board {
  Gate crewReady;      ///< the survivors are prepared: the victim may begin
  Gate peersGo;        ///< the survivors shall do their part of the operation
  Gate victimGone;     ///< the victim is dead, or stopped
  Gate crewIsDone;     ///< mode stop: the survivors went on without the victim, which may wake up now
  Gate victimEnded;    ///< mode stop: it ran on to its end (or was fenced)
  Gate repairerReady;  ///< "w" lies idle
  Gate repairerMayGo;  ///< mode stop: "w" may make its next call

  static constexpr int kNone = -1;
  static constexpr int kThrew = -2;
  // By the victim.
  std::atomic<int> reported{kNone};      ///< the Status that its operation returned, or kThrew
  std::atomic<int> nextReported{kNone};  ///< that of the call after it
  std::atomic<int> stopReported{kNone};  ///< and of its stop()
  std::atomic<std::uint64_t> fence{0};   ///< the fence it was granted last
  std::array<char, 256> victimText{};    ///< of the exception that it threw

  // By the survivors.
  std::atomic<bool> evicted{false};  ///< their view dropped the victim as silent
  std::atomic<std::int64_t> worstCallNs{0};
  std::array<char, 512> violation{};  ///< empty: none
};

}  // namespace ronde::crash
