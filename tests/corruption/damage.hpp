#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "tests/corruption/regions.hpp"
#include "tests/support/random.hpp"

namespace ronde::corruption {

enum class Mode : std::uint32_t {
  none,     ///< no damage at all: what the trial does when all is well
  bit,      ///< one bit, once
  garbage,  ///< one to eight words, once
  live,     ///< words, again and again while the members work
};

[[nodiscard]] const char* toString(Mode mode);

/// What is done to the segment of one trial.
struct Damage {
  Mode mode = Mode::none;
  std::uint64_t number = 0;  ///< bit: number of the bit in the control data; otherwise the trial's random seed
};

/// A segment's file, mapped once more, apart from the library.
class Scribble {
 public:
  explicit Scribble(const std::string& path);
  Scribble(const Scribble&) = delete;
  Scribble& operator=(const Scribble&) = delete;
  ~Scribble();

  void flip(std::size_t at, int bit) const;
  /// Writes one random word over control data, of a kind that is likely to be believed. Returns where.
  std::size_t scribble(const ControlData& data, testing::Random& random) const;
  [[nodiscard]] std::uint64_t word(std::size_t at) const;
  void setWord(std::size_t at, std::uint64_t value) const;

 private:
  std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Does what is done once. Returns the number of words or bits changed, and into `where` a text of them.
std::uint64_t apply(const Damage& damage, const Scribble& segment, const ControlData& data, std::string& where);

}  // namespace ronde::corruption
