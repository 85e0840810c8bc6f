#include "benchmarks/peers/mpi.hpp"

#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <stdexcept>

#include "benchmarks/harness/processes.hpp"

namespace ronde::bench {

const std::vector<Mpi>& mpis() {
  static const std::vector<Mpi> found = [] {
    const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    std::vector<Mpi> list;
    for (Mpi mpi : {Mpi{"openmpi", "ronde-bench-openmpi", "/usr/bin/mpirun.openmpi"},
                    Mpi{"mpich", "ronde-bench-mpich", "/usr/bin/mpiexec.mpich"}}) {
      mpi.program = folder / mpi.program;
      const bool usable = access(mpi.program.c_str(), X_OK) == 0 && access(mpi.launcher.c_str(), X_OK) == 0;
      if (usable) list.push_back(std::move(mpi));
    }
    return list;
  }();
  return found;
}

bool supports(const Mpi& mpi, const Setting& setting) {
  // They have no blocking wait. MPICH spins without yielding: with more processes than cores, each step takes the
  // scheduler's slices (8 ms a barrier of 3 processes on 2 cores, 96 ms of 16).
  if (setting.waiting == Waiting::block) return false;
  return mpi.name != "mpich" || static_cast<std::size_t>(setting.n) <= cores().size();
}

Figures runMpi(const Mpi& mpi, const std::string& pattern, const Work& work, double limit) {
  std::vector<std::string> command{mpi.launcher, "-n", std::to_string(work.n)};
  const bool fits = static_cast<std::size_t>(work.n) <= cores().size();
  if (mpi.name == "openmpi") {
    command.insert(command.end(), {"--allow-run-as-root", "--oversubscribe", "--bind-to", fits ? "core" : "none"});
  } else if (fits) {
    command.insert(command.end(), {"-bind-to", "core"});
  }
  command.insert(command.end(), {mpi.program, pattern, std::to_string(work.size), std::to_string(work.seconds)});

  std::istringstream output(runProgram(command, limit));
  std::vector<Figures> parts;
  const std::string mark = "RESULT ";
  for (std::string line; std::getline(output, line);) {
    if (line.starts_with(mark)) parts.push_back(decode(line.substr(mark.size())));
  }
  if (parts.empty()) throw std::runtime_error("no result");
  return combine(parts);
}

}  // namespace ronde::bench
