#include "benchmarks/harness/text.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <span>

namespace ronde::bench {
namespace {

/// Three significant digits.
std::string digits(double value) {
  std::array<char, 32> text{};
  const int decimals = value >= 99.95 || value == 0 ? 0 : value >= 9.995 ? 1 : 2;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

struct Step {
  double factor;
  const char* unit;
};

/// With the largest unit that leaves a number of at least one.
std::string scaled(double value, std::span<const Step> steps) {
  for (const Step& step : steps) {
    if (value >= 0.9995 * step.factor || &step == &steps.back()) return digits(value / step.factor) + step.unit;
  }
  return {};
}

constexpr std::array<Step, 4> kTimes{{{1e9, " s"}, {1e6, " ms"}, {1e3, " us"}, {1, " ns"}}};
constexpr std::array<Step, 4> kRates{{{1e9, " G/s"}, {1e6, " M/s"}, {1e3, " k/s"}, {1, " /s"}}};
constexpr std::array<Step, 4> kBytes{{{1 << 30, " GiB"}, {1 << 20, " MiB"}, {1 << 10, " KiB"}, {1, " B"}}};

}  // namespace

std::string timeText(double nanoseconds) { return scaled(nanoseconds, kTimes); }
std::string sizeText(std::size_t bytes) {
  for (const auto& [factor, unit] : kBytes) {
    const auto step = static_cast<std::size_t>(factor);
    if (bytes >= step) return std::to_string(bytes / step) + unit;
  }
  return "";
}

std::string valueText(double value, const std::string& unit) {
  if (std::isnan(value)) return "";
  if (unit == "ns") return timeText(value);
  if (unit == "1/s") return scaled(value, kRates);
  if (unit == "B") return scaled(value, kBytes);
  return digits(value) + (unit.empty() ? "" : " " + unit);
}

std::string title(const Experiment& experiment) {
  std::string text = experiment.row;
  if (experiment.size > 0) text += " " + sizeText(experiment.size);
  return text + ", n = " + std::to_string(experiment.n);
}

}  // namespace ronde::bench
