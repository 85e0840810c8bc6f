#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <set>

#include "benchmarks/harness/clock.hpp"
#include "benchmarks/harness/processes.hpp"
#include "benchmarks/harness/report.hpp"
#include "benchmarks/harness/runner.hpp"
#include "benchmarks/rows/rows.hpp"

namespace {

using namespace ronde::bench;

std::set<std::string> peerNames(const std::vector<Experiment>& experiments) {
  std::set<std::string> names;
  for (const Experiment& experiment : experiments) {
    for (const Contender& contender : experiment.contenders) names.insert(contender.name);
  }
  names.erase(kOurs);
  return names;
}

/// Throws if one of the wanted names is not there: a typing error would look like a result.
void keepPeers(std::vector<Experiment>& experiments, std::vector<std::string> wanted) {
  std::erase(wanted, "none");
  const auto known = peerNames(experiments);
  for (const std::string& name : wanted) {
    if (!known.contains(name)) {
      throw CLI::ValidationError("--peers", name + " is not here; there is " + CLI::detail::join(known, ", "));
    }
  }
  for (Experiment& experiment : experiments) {
    std::erase_if(experiment.contenders, [&](const Contender& contender) {
      return contender.name != kOurs && std::find(wanted.begin(), wanted.end(), contender.name) == wanted.end();
    });
  }
}

void keepRows(std::vector<Experiment>& experiments, const std::vector<std::string>& wanted) {
  std::erase_if(experiments, [&](const Experiment& experiment) {
    return std::none_of(wanted.begin(), wanted.end(),
                        [&](const std::string& part) { return experiment.row.find(part) != std::string::npos; });
  });
  if (experiments.empty()) throw CLI::ValidationError("--only", "no row has this in its name; see --list");
}

void list(const std::vector<Experiment>& experiments) {
  std::set<std::string> seen;
  for (const Experiment& experiment : experiments) {
    if (seen.insert(experiment.row).second) std::cout << experiment.row << '\n';
  }
  std::cout << "peers: " << CLI::detail::join(peerNames(experiments), ", ") << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  bool lists = false;
  std::vector<std::string> only;
  std::vector<std::string> peers;
  std::string jsonFile;
  std::string plots;
  CLI::App app("ronde beside its peers on this machine: one table, all measured in one run.");
  app.add_flag("--quick", quick, "fewer rows, shorter, two repetitions");
  app.add_option("--only", only, "rows with NAME in their name; may be repeated")->type_name("NAME");
  app.add_option("--peers", peers, "none, or names separated by commas; default: all that are here")
      ->delimiter(',')
      ->type_name("LIST");
  app.add_option("--json", jsonFile, "writes the rows to FILE")->type_name("FILE");
  app.add_option("--plots", plots, "writes plots to DIR")->type_name("DIR");
  app.add_flag("--list", lists, "lists rows and peers");
  try {
    app.parse(argc, argv);
    auto experiments = allRows({quick});
    if (!peers.empty()) keepPeers(experiments, peers);
    if (!only.empty()) keepRows(experiments, only);
    if (lists) {
      list(experiments);
      return 0;
    }
    if (cores().size() < 2) throw std::runtime_error("two cores are needed; this process may use one");
    nanosecondsPerTick();
    const Results results = run(experiments, quick ? Plan{2, 0.04} : Plan{5, 0.15});
    std::cout << table(results) << std::flush;
    if (!jsonFile.empty()) {
      std::ofstream out(jsonFile);
      out << json(results) << std::flush;
      if (!out) throw std::runtime_error("cannot write " + jsonFile);
    }
    if (!plots.empty()) writePlotData(results, plots);
    return results.oursFailed ? 1 : 0;
  } catch (const CLI::Error& error) {
    return app.exit(error);
  } catch (const std::exception& error) {
    std::cerr << "benchmarks: " << error.what() << '\n';
    return 1;
  }
}
