#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "benchmarks/rows/contenders.hpp"
#include "benchmarks/rows/rows.hpp"

namespace ronde::bench {

// In a program of its own, since it also looks inside the library (operations/main.cpp).
std::vector<Experiment> inProcessRows(const Scale& /*scale*/) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "ronde-operations";
  if (access(program.c_str(), X_OK) != 0) return {};
  std::vector<Experiment> list;
  std::istringstream names(runProgram({program, "list"}, kRunLimit));
  for (std::string name; std::getline(names, name);) {
    list.push_back({"in process: " + name,
                    0,
                    1,
                    {{"", "ns", Better::lower}},
                    {{kOurs,
                      [program, name](double seconds) {
                        std::string text = runProgram({program, "time", name, std::to_string(seconds)}, kRunLimit);
                        if (text.ends_with('\n')) text.pop_back();
                        return decode(text);
                      }}},
                    std::nullopt});
  }
  return list;
}

std::vector<Experiment> allRows(const Scale& scale) {
  std::vector<Experiment> all;
  for (const auto family : {floors, oneWayRows, streamRows, synchronousRows, barrierRows, sectionRows,
                            lifecycleRows, groupRows, inProcessRows}) {
    auto some = family(scale);
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace ronde::bench
