// Runs one pattern as an MPI program: ronde-bench-openmpi PATTERN SIZE SECONDS. Compiled once with each MPI.

#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "benchmarks/patterns/patterns.hpp"

namespace {

using namespace ronde::bench;

class MpiEndpoint : public Endpoint {
 public:
  explicit MpiEndpoint(std::size_t size)
      : outgoing_(std::max(size, sizeof(std::uint64_t))), incoming_(outgoing_.size()) {}

  std::span<std::byte> prepare(std::size_t size) override { return prepared_ = std::span(outgoing_).first(size); }
  void send(int to) override { MPI_Send(prepared_.data(), length(prepared_), MPI_BYTE, to, 0, MPI_COMM_WORLD); }
  std::span<const std::byte> receive(std::size_t size) override { return receiveFrom(MPI_ANY_SOURCE, size); }
  void sendSync(int to) override {
    MPI_Ssend(prepared_.data(), length(prepared_), MPI_BYTE, to, 0, MPI_COMM_WORLD);
  }
  std::span<const std::byte> receiveSync(int from, std::size_t size) override { return receiveFrom(from, size); }
  // Faster than MPI_Bcast and MPI_Barrier, and what it promises is the same: all have it.
  void broadcastSync(int n) override {
    requests_.resize(static_cast<std::size_t>(n - 1));
    for (int to = 1; to < n; ++to) {
      MPI_Issend(prepared_.data(), length(prepared_), MPI_BYTE, to, 0, MPI_COMM_WORLD,
                 &requests_[static_cast<std::size_t>(to - 1)]);
    }
    MPI_Waitall(n - 1, requests_.data(), MPI_STATUSES_IGNORE);
  }
  void barrier() override { MPI_Barrier(MPI_COMM_WORLD); }

 private:
  static int length(std::span<const std::byte> bytes) { return static_cast<int>(bytes.size()); }
  std::span<const std::byte> receiveFrom(int from, std::size_t size) {
    const auto message = std::span(incoming_).first(size);
    MPI_Recv(message.data(), length(message), MPI_BYTE, from, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return message;
  }

  std::vector<std::byte> outgoing_;
  std::vector<std::byte> incoming_;
  std::span<std::byte> prepared_;
  std::vector<MPI_Request> requests_;
};

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  if (argc != 4) MPI_Abort(MPI_COMM_WORLD, 2);
  Work work;
  int self = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &self);
  MPI_Comm_size(MPI_COMM_WORLD, &work.n);
  work.size = std::strtoul(argv[2], nullptr, 10);
  work.seconds = std::strtod(argv[3], nullptr);
  nanosecondsPerTick();
  for (const NamedPattern& pattern : kPatterns) {
    if (pattern.name != argv[1]) continue;
    MpiEndpoint endpoint(work.size);
    MPI_Barrier(MPI_COMM_WORLD);
    const Figures figures = pattern.run(endpoint, self, work);
    if (!figures.empty()) std::printf("RESULT %s\n", encode(figures).c_str());
  }
  MPI_Finalize();
}
