#include "benchmarks/harness/report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "benchmarks/harness/text.hpp"

namespace ronde::bench {
namespace {

constexpr std::array kHeads{"row",       "size",  "n",     "ronde", "p99",
                            "best peer", "ratio", "floor", "ratio", "other peers"};
using Line = std::array<std::string, kHeads.size()>;

std::string named(const Named& value, const std::string& unit) {
  return value.name + " " + valueText(value.figure.median, unit);
}

Line lineOf(const Row& row) {
  const std::string& unit = row.metric.unit;
  Line line{row.name, sizeText(row.size), std::to_string(row.n)};
  if (row.ours) {
    line[3] = valueText(row.ours->median, unit);
    line[4] = valueText(row.ours->p99, unit);
  }
  if (!row.peers.empty()) line[5] = named(row.peers.front(), unit);
  line[6] = valueText(row.ratioToBestPeer(), "");
  if (row.floor) line[7] = named(*row.floor, unit);
  line[8] = valueText(row.ratioToFloor(), "");
  for (std::size_t i = 1; i < row.peers.size(); ++i) {
    line[9] += (i > 1 ? ", " : "") + named(row.peers[i], unit);
  }
  return line;
}

std::string padded(const Line& line, const std::array<std::size_t, kHeads.size()>& widths) {
  std::string text = "|";
  for (std::size_t i = 0; i < line.size(); ++i) {
    text += " " + line[i] + std::string(widths[i] - line[i].size(), ' ') + " |";
  }
  return text + "\n";
}

/// JSON has no NaN.
nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json object(const Row& row) {
  auto peers = nlohmann::ordered_json::object();
  for (const Named& peer : row.peers) peers[peer.name] = number(peer.figure.median);
  return {{"row", row.name},
          {"size", row.size},
          {"n", row.n},
          {"unit", row.metric.unit},
          {"median", number(row.ours ? row.ours->median : kNone)},
          {"p99", number(row.ours ? row.ours->p99 : kNone)},
          {"longest", number(row.ours ? row.ours->longest : kNone)},
          {"better", row.metric.better == Better::lower ? "lower" : "higher"},
          {"peers", std::move(peers)},
          {"best_peer",
           row.peers.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(row.peers.front().name)},
          {"ratio_to_best_peer", number(row.ratioToBestPeer())},
          {"floor", number(row.floor ? row.floor->figure.median : kNone)},
          {"ratio_to_floor", number(row.ratioToFloor())}};
}

}  // namespace

std::string table(const Results& results) {
  std::vector<Line> lines(2);
  for (std::size_t i = 0; i < kHeads.size(); ++i) lines[0][i] = kHeads[i];
  std::transform(results.rows.begin(), results.rows.end(), std::back_inserter(lines), lineOf);

  std::array<std::size_t, kHeads.size()> widths{};
  for (const Line& line : lines) {
    for (std::size_t i = 0; i + 1 < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  widths.back() = kHeads.empty() ? 0 : std::string(kHeads.back()).size();
  for (std::size_t i = 0; i < widths.size(); ++i) lines[1][i] = std::string(widths[i], '-');
  std::string text;
  for (const Line& line : lines) {
    auto fitting = widths;
    fitting.back() = std::max(widths.back(), line.back().size());
    text += padded(line, fitting);
  }
  if (!results.failures.empty()) text += "\nWithout a result:\n";
  for (const std::string& failure : results.failures) text += "- " + failure + "\n";
  return text;
}

std::string json(const Results& results) {
  auto rows = nlohmann::ordered_json::array();
  for (const Row& row : results.rows) rows.push_back(object(row));
  return rows.dump(2) + "\n";
}

}  // namespace ronde::bench
