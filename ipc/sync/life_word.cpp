#include "ipc/sync/life_word.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace ronde::detail {

bool LifeWord::begin(Word& word) noexcept {
  std::size_t size = 0;
  if (syscall(SYS_get_robust_list, 0, &before_, &size) != 0) return false;
  word_ = &word;
  // The kernel finds the word at node + offset; any distance is allowed, also into another mapping.
  head_.futex_offset = reinterpret_cast<char*>(&word) - reinterpret_cast<char*>(&node_);
  head_.list_op_pending = nullptr;
  node_.next = &head_.list;
  head_.list.next = &node_;
  word.store(static_cast<std::uint32_t>(gettid()) | FUTEX_WAITERS, std::memory_order_seq_cst);
  if (syscall(SYS_set_robust_list, &head_, sizeof(head_)) == 0) return true;
  word.store(0, std::memory_order_seq_cst);
  word_ = nullptr;
  return false;
}

void LifeWord::end() noexcept {
  if (word_ == nullptr) return;
  syscall(SYS_set_robust_list, before_, sizeof(*before_));
  word_->store(0, std::memory_order_seq_cst);
  word_ = nullptr;
}

}  // namespace ronde::detail
