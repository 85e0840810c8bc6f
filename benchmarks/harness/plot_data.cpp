#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "benchmarks/harness/report.hpp"

namespace ronde::bench {
namespace {

/// A column per contender; a line per value of x.
class Columns {
 public:
  void add(const std::string& contender, double x, double y) {
    if (!std::isnan(y)) values_[contender][x] = y;
  }
  void addAll(const Row& row, double x, const std::function<double(const Figure&)>& y) {
    if (row.ours) add(kOurs, x, y(*row.ours));
    for (const Named& peer : row.peers) add(peer.name, x, y(peer.figure));
  }

  void write(const std::filesystem::path& file) const {
    if (values_.empty()) return;
    std::ofstream out(file);
    std::map<double, int> lines;
    out << "x";
    for (const auto& [contender, points] : values_) {
      out << ' ' << contender;
      for (const auto& [x, y] : points) lines[x];
    }
    out << '\n';
    for (const auto& [x, unused] : lines) {
      out << x;
      for (const auto& [contender, points] : values_) {
        const auto found = points.find(x);
        out << ' ' << (found == points.end() ? "?" : std::to_string(found->second));
      }
      out << '\n';
    }
    out.flush();
    if (!out) throw std::runtime_error("cannot write " + file.string());
  }

 private:
  std::map<std::string, std::map<double, double>> values_;
};

double medianField(const Figure& figure) { return figure.median; }

}  // namespace

void writePlotData(const Results& results, const std::string& folder) {
  Columns latency;
  Columns throughput;
  Columns barrier;
  Columns distribution;
  for (const Row& row : results.rows) {
    const auto size = static_cast<double>(row.size);
    if (row.name == "one way") latency.addAll(row, size, medianField);
    if (row.name == "stream") {
      throughput.addAll(row, size, [size](const Figure& figure) { return figure.median * size; });
    }
    if (row.name == "barrier") barrier.addAll(row, row.n, medianField);
    if (row.name != "one way" || row.size != 64) continue;
    for (std::size_t i = 0; i < kQuantiles.size(); ++i) {
      distribution.addAll(row, kQuantiles[i], [i](const Figure& figure) { return figure.quantiles.at(i); });
    }
  }
  std::filesystem::create_directories(folder);
  const std::filesystem::path path(folder);
  latency.write(path / "latency.dat");
  throughput.write(path / "throughput.dat");
  barrier.write(path / "barrier.dat");
  distribution.write(path / "distribution.dat");
}

}  // namespace ronde::bench
