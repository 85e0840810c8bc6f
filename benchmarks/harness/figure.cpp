#include "benchmarks/harness/figure.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace ronde::bench {
namespace {

/// Nearest rank; `sorted` is not empty.
double quantile(const std::vector<double>& sorted, double percent) {
  const auto rank = std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(std::max(rank, 1.0)) - 1)];
}

template <class Field>
double middleOf(std::span<const Figure> repetitions, Field field) {
  std::vector<double> values;
  std::transform(repetitions.begin(), repetitions.end(), std::back_inserter(values), field);
  return medianOf(std::move(values));
}

}  // namespace

Figure summarize(std::vector<double>& samples) {
  if (samples.empty()) throw std::runtime_error("no sample in the time given");
  std::sort(samples.begin(), samples.end());
  Figure figure{quantile(samples, 50), quantile(samples, 99), samples.back(), {}};
  for (const double percent : kQuantiles) figure.quantiles.push_back(quantile(samples, percent));
  return figure;
}

Figure single(double value) { return {value, kNone, kNone, {}}; }

double medianOf(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return kNone;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

Figure middle(std::span<const Figure> repetitions) {
  Figure figure{middleOf(repetitions, [](const Figure& f) { return f.median; }),
                middleOf(repetitions, [](const Figure& f) { return f.p99; }),
                middleOf(repetitions, [](const Figure& f) { return f.longest; }),
                {}};
  for (std::size_t i = 0; i < repetitions.front().quantiles.size(); ++i) {
    figure.quantiles.push_back(middleOf(repetitions, [i](const Figure& f) { return f.quantiles.at(i); }));
  }
  return figure;
}

double jain(std::span<const double> shares) {
  double sum = 0;
  double squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return squares == 0 ? kNone : sum * sum / (static_cast<double>(shares.size()) * squares);
}

std::string encode(const Figures& figures) {
  std::ostringstream out;
  out.precision(12);
  for (const Figure& figure : figures) {
    out << figure.median << ' ' << figure.p99 << ' ' << figure.longest << ' ' << figure.quantiles.size();
    for (const double value : figure.quantiles) out << ' ' << value;
    out << ';';
  }
  return out.str();
}

Figures decode(std::string_view text) {
  Figures figures;
  while (!text.empty()) {
    const std::size_t end = text.find(';');
    if (end == std::string_view::npos) throw std::runtime_error("not a result: " + std::string(text));
    std::istringstream in{std::string(text.substr(0, end))};
    // Streams write nan but do not read it.
    const auto next = [&in] {
      std::string word;
      in >> word;
      return std::stod(word);
    };
    Figure figure;
    figure.median = next();
    figure.p99 = next();
    figure.longest = next();
    figure.quantiles.resize(static_cast<std::size_t>(next()));
    for (double& value : figure.quantiles) value = next();
    figures.push_back(std::move(figure));
    text.remove_prefix(end + 1);
  }
  return figures;
}

}  // namespace ronde::bench
