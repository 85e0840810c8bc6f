#include "tests/corruption/damage.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ronde::corruption {

const char* toString(Mode mode) {
  switch (mode) {
    case Mode::none: return "none";
    case Mode::bit: return "bit";
    case Mode::garbage: return "garbage";
    case Mode::live: return "live";
  }
  return "?";
}

Scribble::Scribble(const std::string& path) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  struct stat info {};
  if (fd < 0 || fstat(fd, &info) != 0) throw std::system_error(errno, std::generic_category(), path);
  bytes_ = static_cast<std::size_t>(info.st_size);
  void* const memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mapping " + path);
  base_ = static_cast<std::byte*>(memory);
}

Scribble::~Scribble() { munmap(base_, bytes_); }

void Scribble::flip(std::size_t at, int bit) const {
  __atomic_xor_fetch(reinterpret_cast<unsigned char*>(base_ + at), static_cast<unsigned char>(1U << bit),
                     __ATOMIC_SEQ_CST);
}

std::uint64_t Scribble::word(std::size_t at) const {
  return __atomic_load_n(reinterpret_cast<std::uint64_t*>(base_ + at / 8 * 8), __ATOMIC_SEQ_CST);
}

void Scribble::setWord(std::size_t at, std::uint64_t value) const {
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(base_ + at / 8 * 8), value, __ATOMIC_SEQ_CST);
}

std::size_t Scribble::scribble(const ControlData& data, testing::Random& random) const {
  // Every region as often as any other, so that the token is met as often as the many records.
  const Region& region = data.regions()[random.below(data.regions().size())];
  const std::size_t at = (region.at + random.below(region.bytes)) / 8 * 8;
  const std::uint64_t before = word(at);
  switch (random.below(8)) {
    case 0: setWord(at, random.word()); break;
    case 1: setWord(at, before ^ (1ULL << random.below(64))); break;
    case 2: setWord(at, before + 1 - 2 * random.below(2)); break;
    case 3: setWord(at, random.below(2) == 0 ? 0 : ~0ULL); break;
    case 4: setWord(at, random.below(128)); break;
    case 5: setWord(at, word(data.place(random.below(data.bytes())).at)); break;  // what lies somewhere else
    case 6: {  // a lock word, or a slot, of a member that may live
      const std::uint64_t name = ((1 + random.below(3)) << 10) | (1 + random.below(4));
      setWord(at, (before & ~0xffffffffULL) | name);
      break;
    }
    default: {  // half a word
      const std::uint64_t half = random.word() & 0xffffffff;
      setWord(at, random.below(2) == 0 ? (before & ~0xffffffffULL) | half : (before & 0xffffffff) | half << 32);
    }
  }
  return at;
}

std::uint64_t apply(const Damage& damage, const Scribble& segment, const ControlData& data, std::string& where) {
  const auto note = [&](std::size_t at) { where += (where.empty() ? "" : " ") + std::to_string(at); };
  if (damage.mode == Mode::bit) {
    const auto place = data.place(damage.number / 8);
    segment.flip(place.at, static_cast<int>(damage.number % 8));
    note(place.at);
    return 1;
  }
  if (damage.mode != Mode::garbage) return 0;
  testing::Random random(damage.number);
  const std::uint64_t words = 1 + random.below(8);
  for (std::uint64_t i = 0; i < words; ++i) note(segment.scribble(data, random));
  return words;
}

}  // namespace ronde::corruption
