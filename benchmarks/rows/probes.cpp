#include "benchmarks/rows/probes.hpp"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <system_error>

#include "benchmarks/harness/sampler.hpp"
#include "benchmarks/harness/shared.hpp"
#include "benchmarks/rows/contenders.hpp"

namespace ronde::bench {
namespace {

constexpr std::uint32_t kEnd = ~std::uint32_t{0};

struct alignas(128) Line {
  std::atomic<std::uint32_t> word{0};
};

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  return syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation, value, nullptr, nullptr, 0);
}

/// The word goes up by one at each turn; process 0 makes it odd. `await(word, old)` returns the first value that
/// is not `old`.
template <class Await, class Write>
Figures alternate(Placement placement, double seconds, Await await, Write write) {
  const Shared<Line> line;
  const auto texts = runProcesses(2, placement, kRunLimit, [&](int self) -> std::string {
    std::atomic<std::uint32_t>& word = line->word;
    if (self == 1) {
      for (std::uint32_t turn = 0; await(word, turn) != kEnd; turn += 2) write(word, turn + 2);
      return {};
    }
    std::uint32_t turn = 0;
    const auto roundTrip = [&] {
      write(word, turn + 1);
      await(word, turn + 1);
      turn += 2;
    };
    roundTrip();  // the other has begun
    Sampler sampler(seconds);
    for (Ticks begin = ticks(); sampler.wants(begin);) {
      roundTrip();
      const Ticks end = ticks();
      sampler.add(end - begin, end);
      begin = end;
    }
    write(word, kEnd);
    return encode({sampler.figure(2)});
  });
  return decode(texts.front());
}

Figures passLine(double seconds) {
  return alternate(
      Placement::coreEach, seconds,
      [](const std::atomic<std::uint32_t>& word, std::uint32_t old) {
        std::uint32_t now = 0;
        while ((now = word.load(std::memory_order_acquire)) == old) relax();
        return now;
      },
      [](std::atomic<std::uint32_t>& word, std::uint32_t value) { word.store(value, std::memory_order_release); });
}

Figures wakeEachOther(Placement placement, double seconds) {
  return alternate(
      placement, seconds,
      [](std::atomic<std::uint32_t>& word, std::uint32_t old) {
        std::uint32_t now = 0;
        while ((now = word.load(std::memory_order_acquire)) == old) futex(word, FUTEX_WAIT, old);
        return now;
      },
      [](std::atomic<std::uint32_t>& word, std::uint32_t value) {
        word.store(value, std::memory_order_release);
        futex(word, FUTEX_WAKE, 1);
      });
}

Figure copyTimes(std::size_t size, double seconds) {
  // Twice the size: a source and a destination.
  void* memory = mmap(nullptr, 2 * size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  auto* bytes = static_cast<std::byte*>(memory);
  // Several at once, so that reading the clock does not show.
  const std::size_t batch = std::max<std::size_t>(1, 16 * 1024 / size);
  Sampler sampler(seconds);
  for (Ticks begin = ticks(); sampler.wants(begin);) {
    for (std::size_t i = 0; i < batch; ++i) {
      std::memcpy(bytes + size, bytes, size);
      asm volatile("" : : "r"(bytes) : "memory");  // or all but one copy would go
    }
    const Ticks end = ticks();
    sampler.add(end - begin, end);
    begin = end;
  }
  munmap(memory, 2 * size);
  return sampler.figure(static_cast<double>(batch));
}

}  // namespace

Contender cacheLineProbe() { return {"c", passLine}; }

Contender futexProbe(Placement placement) {
  return {"futex", [placement](double seconds) { return wakeEachOther(placement, seconds); }};
}

Contender copyProbe(std::size_t size) {
  return {"memcpy", [size](double seconds) { return Figures{copyTimes(size, seconds)}; }};
}

Contender copyRateProbe(std::size_t size) {
  return {"memcpy", [size](double seconds) { return Figures{single(1e9 / copyTimes(size, seconds).median)}; }};
}

}  // namespace ronde::bench
