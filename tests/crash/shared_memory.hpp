#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <stdexcept>

namespace ronde::crash {

/// Anonymous memory for `count` objects that forked children share: all zero, nothing constructed. Kept until the
/// process ends, unless it is unmapped.
template <class T>
T* sharedMemory(std::size_t count) {
  void* const memory =
      mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory");
  return static_cast<T*>(memory);
}

}  // namespace ronde::crash
