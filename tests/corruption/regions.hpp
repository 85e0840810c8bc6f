#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ipc/segment/layout.hpp"
#include "tests/support/random.hpp"

namespace ronde::corruption {

/// A stretch of control data in a segment.
struct Region {
  std::string name;
  std::size_t at;
  std::size_t bytes;
};

/// All control data that a group of this geometry uses: everything in layout.hpp except the payload areas, the
/// values of the cells, and the entries of tables beyond its capacity, which no code looks at.
[[nodiscard]] std::vector<Region> regionsOf(const detail::Geometry& geometry);

/// The same places counted through: number k of `bytesOf()` lies at …
class ControlData {
 public:
  explicit ControlData(const detail::Geometry& geometry);

  [[nodiscard]] const std::vector<Region>& regions() const { return regions_; }
  [[nodiscard]] std::size_t bytes() const;
  struct Place {
    std::size_t region;
    std::size_t at;
  };
  [[nodiscard]] Place place(std::size_t number) const;
  /// The kinds of structure, each once.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// The number of a random bit in a structure of this name; bit k of byte n has the number 8 n + k.
  [[nodiscard]] std::uint64_t bitIn(const std::string& name, testing::Random& random) const;

 private:
  std::vector<std::string> names_;
  std::vector<Region> regions_;
};

}  // namespace ronde::corruption
