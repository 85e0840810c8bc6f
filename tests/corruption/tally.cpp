#include "tests/corruption/tally.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace ronde::corruption {

void Tally::add(const Tally& other) {
  const auto sum = [](Verdicts& to, const Verdicts& from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  };
  trials += other.trials;
  sum(verdicts, other.verdicts);
  for (const auto& [name, counts] : other.byRegion) sum(byRegion[name], counts);
  mutations += other.mutations;
  lasting += other.lasting;
  longestOverrunMs = std::max(longestOverrunMs, other.longestOverrunMs);
  notFoundedAgain += other.notFoundedAgain;
  repeated += other.repeated;
  remarks.insert(remarks.end(), other.remarks.begin(), other.remarks.end());
  seconds = std::max(seconds, other.seconds);
}

std::string Tally::toText() const {
  return nlohmann::json{trials,  verdicts,         byRegion,        mutations, lasting,
                        remarks, longestOverrunMs, notFoundedAgain, repeated,  seconds}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);  // names in remarks may be garbage
}

Tally Tally::fromText(const std::string& text) {
  const auto json = nlohmann::json::parse(text);
  Tally tally;
  json.at(0).get_to(tally.trials);
  json.at(1).get_to(tally.verdicts);
  json.at(2).get_to(tally.byRegion);
  json.at(3).get_to(tally.mutations);
  json.at(4).get_to(tally.lasting);
  json.at(5).get_to(tally.remarks);
  json.at(6).get_to(tally.longestOverrunMs);
  json.at(7).get_to(tally.notFoundedAgain);
  json.at(8).get_to(tally.repeated);
  json.at(9).get_to(tally.seconds);
  return tally;
}

}  // namespace ronde::corruption
