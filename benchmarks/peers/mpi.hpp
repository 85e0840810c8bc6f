#pragma once

#include <string>
#include <vector>

#include "benchmarks/harness/figure.hpp"
#include "benchmarks/patterns/patterns.hpp"
#include "benchmarks/peers/transport.hpp"

namespace ronde::bench {

/// An implementation of MPI. The same pattern runs in processes that its own launcher starts.
struct Mpi {
  std::string name;
  std::string program;   ///< mpi_main.cpp, built with it
  std::string launcher;  ///< of mpirun's kind
};

/// Those that were built and whose launcher is installed.
[[nodiscard]] const std::vector<Mpi>& mpis();
[[nodiscard]] bool supports(const Mpi& mpi, const Setting& setting);
/// The figures of the pattern called `pattern`.
[[nodiscard]] Figures runMpi(const Mpi& mpi, const std::string& pattern, const Work& work, double limit);

}  // namespace ronde::bench
