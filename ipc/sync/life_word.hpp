#pragma once

#include <linux/futex.h>

#include "ipc/sync/futex.hpp"

namespace ronde::detail {

/// Makes the kernel itself announce the death of the calling thread, within about 0.1 ms and before it tears down
/// the process's memory (which takes 18 us per MiB and delays every other sign: pidfd, waitpid, file locks).
///
/// The thread's robust-futex list gets one entry; the list head and node lie here, in private memory, and only the
/// thread id lies in the segment, so no pointer is ever shared. When the thread ends in whatever way (kill, exec,
/// exit), the kernel sets FUTEX_OWNER_DIED in the word and wakes one sleeper.
///
/// Belongs to a thread that runs no foreign code: it replaces the list that glibc keeps for robust mutexes.
class LifeWord {
 public:
  LifeWord() = default;
  LifeWord(const LifeWord&) = delete;
  LifeWord& operator=(const LifeWord&) = delete;

  /// To be called by the thread whose life it is. False where the kernel refuses; the slower signs remain.
  bool begin(Word& word) noexcept;
  /// Ends the announcement in order. Called by the same thread.
  void end() noexcept;

  /// True if the value says that its thread died.
  [[nodiscard]] static bool saysDead(std::uint32_t value) noexcept { return (value & FUTEX_OWNER_DIED) != 0; }

 private:
  robust_list_head head_{};
  robust_list node_{};
  robust_list_head* before_ = nullptr;
  Word* word_ = nullptr;
};

}  // namespace ronde::detail
