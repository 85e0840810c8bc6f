#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

namespace ronde::fuzz {

/// The bytes of one run, taken one after the other; behind the end there are zeroes.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

  [[nodiscard]] bool isEmpty() const { return rest_.empty(); }
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return rest_; }

  template <class T>
  T take() {
    T value{};
    const std::size_t size = rest_.size() < sizeof(T) ? rest_.size() : sizeof(T);
    if (size > 0) std::memcpy(&value, rest_.data(), size);
    rest_ = rest_.subspan(size);
    return value;
  }
  /// 0 to limit - 1.
  std::size_t below(std::size_t limit) { return take<std::uint16_t>() % limit; }

 private:
  std::span<const std::uint8_t> rest_;
};

/// What must hold, also in a build without assertions. The fuzzer and the replay see the abort.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

/// Puts `value` (1, 2, 4 or 8 bytes of it) at `at` + `offset`, or adds it, or flips its bits there.
inline void patch(Input& input, std::byte* at, std::size_t room) {
  const auto how = input.take<std::uint8_t>();
  const std::size_t size = std::size_t{1} << (how & 3);
  const std::size_t offset = input.below(room - size + 1) / size * size;
  std::uint64_t before = 0;
  std::memcpy(&before, at + offset, size);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{input.take<std::uint8_t>()} << (8 * i);
  if ((how & 12) == 4) value += before;
  if ((how & 12) == 8) value ^= before;
  std::memcpy(at + offset, &value, size);
}

}  // namespace ronde::fuzz
