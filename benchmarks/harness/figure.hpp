#pragma once

#include <array>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ronde::bench {

inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// The parts of all samples, in percent, whose bounds a Figure keeps for the plots.
inline constexpr std::array kQuantiles{1., 5., 10., 25., 50., 75., 90., 95., 99., 99.9};

/// What one run found for one metric.
struct Figure {
  double median = kNone;          ///< of the samples; or the one value of a metric without samples, such as a rate
  double p99 = kNone;             ///< kNone without samples
  double longest = kNone;         ///< likewise
  std::vector<double> quantiles;  ///< one for each of kQuantiles; empty without samples
};
using Figures = std::vector<Figure>;

/// Of samples in any order, which it sorts.
[[nodiscard]] Figure summarize(std::vector<double>& samples);
/// A metric that is one value.
[[nodiscard]] Figure single(double value);
/// Median of each field over repetitions.
[[nodiscard]] Figure middle(std::span<const Figure> repetitions);
[[nodiscard]] double medianOf(std::vector<double> values);
/// Jain's index of fairness: 1 if all shares are the same, 1/n if one has all.
[[nodiscard]] double jain(std::span<const double> shares);

/// As one line of text, for the way from a measuring process to its parent.
[[nodiscard]] std::string encode(const Figures& figures);
/// @throws std::runtime_error if `text` is not what encode() wrote.
[[nodiscard]] Figures decode(std::string_view text);

}  // namespace ronde::bench
