#include <ronde/fenced_cell.hpp>

#include <array>
#include <atomic>

#include "tests/support/child.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"
#include "tests/support/shared.hpp"
#include "tests/support/sleeper.hpp"
#include "tests/support/threads.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

TEST_CASE("a cell takes a write under the last fence or a newer one, not under an older one (P3)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 2);
  FencedCell<int> mine(*members[0], "balance");
  FencedCell<int> theirs(*members[1], "balance");
  CHECK(theirs.read().status() == Status::empty);
  CHECK(mine.write(1, 7) == Status::ok);
  CHECK(mine.write(2, 7) == Status::ok);
  CHECK(theirs.read()->value == 2);
  CHECK(theirs.read()->fence == 7);
  CHECK(theirs.write(3, 6) == Status::staleFence);
  CHECK(mine.read()->value == 2);
  CHECK(theirs.write(4, 8) == Status::ok);
  CHECK(mine.write(5, 7) == Status::staleFence);
  CHECK(mine.read()->value == 4);
  CHECK(mine.read()->fence == 8);
}

TEST_CASE("a holder that was stopped inside, evicted and resumed cannot write any more (Kleppmann 2016, P3)",
          "[process]") {
  const ScratchGroup group;
  const Gate holding;
  Child holder([&] {
    Communicator com(group.impatient("P0"));
    FencedCell<int> cell(com, "balance");
    auto section = com.requestSC();
    std::string said(toString(cell.write(1, section->fence())));
    holding.open();
    // Stopped and resumed in here: asleep, so that no lock of the segment is held.
    said += ", " + std::string(toString(com.receive(60s).status()));
    said += ", " + std::string(toString(cell.write(666, section->fence())));
    said += ", " + std::string(toString(com.releaseSC().status));
    section->release();
    return said;
  });
  holder.awaitOpen(holding);
  Communicator first(group.impatient("P1"));
  Communicator second(group.impatient("P2"));
  FencedCell<int> cell(first, "balance");
  REQUIRE(cell.read()->value == 1);
  awaitAsleep(holder.pid());
  holder.stop();
  const auto section = first.requestSC();  // waits for the eviction
  REQUIRE(section);
  CHECK(section->fence() > cell.read()->fence);
  CHECK(cell.write(2, section->fence()) == Status::ok);
  holder.resume();
  CHECK(holder.report() == "ok, evicted, stale fence, evicted");
  CHECK(cell.read()->value == 2);
  CHECK(second.trySC().status() == Status::empty);  // the late release has given away nothing
}

TEST_CASE("a number that no section ever has is refused, and does not bar the cell to the real ones (P3)",
          "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  FencedCell<int> cell(com, "balance");
  constexpr std::uint64_t kLast = (std::uint64_t{1} << 42) - 1;
  for (const std::uint64_t fence : {kLast + 1, ~std::uint64_t{0}}) {
    const auto error = errorOf([&] { return cell.write(1, fence); });
    REQUIRE(error);
    CHECK(error->errc() == Errc::invalidArgument);
    CAPTURE(error->what());
    CHECK(mentions(error->what(), {"FencedCell", std::to_string(fence), "Section::fence()"}));
  }
  CHECK(cell.read().status() == Status::empty);
  CHECK(cell.write(2, com.requestSC()->fence()) == Status::ok);
  CHECK(cell.write(3, kLast) == Status::ok);
  CHECK(cell.read()->fence == kLast);
}

TEST_CASE("a name has one size in a group, and a legal name", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  FencedCell<int> cell(com, "number");
  const auto other = errorOf([&] { return FencedCell<double>(com, "number").read().ok(); });
  REQUIRE(other);
  CHECK(other->errc() == Errc::invalidArgument);
  CAPTURE(other->what());
  CHECK(mentions(other->what(), {"number", "4", "8"}));
  for (const std::string& name : {std::string(), std::string(32, 'x'), std::string("a\0b", 3)}) {
    const auto error = errorOf([&] { return FencedCell<int>(com, name).read().ok(); });
    REQUIRE(error);
    CHECK(error->errc() == Errc::invalidArgument);
  }
  CHECK(FencedCell<int>(com, std::string(31, 'x')).read().status() == Status::empty);
}

TEST_CASE("a group has 32 cells; the 33rd name is refused, a known one is not", "[threads]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  for (int i = 0; i < 32; ++i) {
    CHECK(FencedCell<int>(com, "cell" + std::to_string(i)).write(i, 1) == Status::ok);
  }
  const auto error = errorOf([&] { return FencedCell<int>(com, "one more").read().ok(); });
  REQUIRE(error);
  CHECK(error->errc() == Errc::groupFull);
  for (int i = 0; i < 32; ++i) CHECK(FencedCell<int>(com, "cell" + std::to_string(i)).read()->value == i);
}

namespace {

/// The largest value a cell may have; whole if all its words are equal.
using Wide = std::array<std::uint64_t, kFencedCellBytes / sizeof(std::uint64_t)>;

bool isWhole(const Wide& value) {
  for (const std::uint64_t word : value) {
    if (word != value[0]) return false;
  }
  return true;
}

Wide wide(std::uint64_t number) {
  Wide value;
  value.fill(number);
  return value;
}

}  // namespace

TEST_CASE("a value is read whole, whoever writes meanwhile (P2)", "[threads]") {
  const ScratchGroup group;
  const auto members = foundGroup(group, 4);
  std::atomic<bool> over{false};
  const auto results = inThreads(4, [&](int id) -> std::string {
    FencedCell<Wide> cell(*members[static_cast<std::size_t>(id)], "wide");
    if (id < 2) {
      for (std::uint64_t i = 1; i <= 2000; ++i) {
        const Status status = cell.write(wide(i), i);
        if (status != Status::ok && status != Status::staleFence) return std::string(toString(status));
      }
      over = true;
      return "";
    }
    std::uint64_t last = 0;
    while (!over) {
      const auto seen = cell.read();
      if (seen.status() == Status::empty) continue;
      if (!seen) return std::string(toString(seen.status()));
      if (!isWhole(seen->value) || seen->value[0] != seen->fence) return "torn";
      if (seen->fence < last) return "went back";
      last = seen->fence;
    }
    return "";
  });
  CHECK(results == std::vector<std::string>(4));
}

TEST_CASE("a value is whole after its writer was killed at any moment (P2)", "[process][stress]") {
  const ScratchGroup group;
  const Shared<std::atomic<std::uint64_t>> written;
  Communicator com(group.options("reader"));
  FencedCell<Wide> cell(com, "wide");
  for (std::uint64_t round = 1; round <= 20; ++round) {
    Child writer([&]() -> std::string {
      Communicator own(group.options("writer"));
      FencedCell<Wide> same(own, "wide");
      for (std::uint64_t i = round * 1'000'000;; ++i) {
        if (same.write(wide(i), i) != Status::ok) return "refused";
        written->store(i);
      }
    });
    while (written->load() < round * 1'000'000 + round * 10) std::this_thread::yield();
    writer.kill();
    const auto seen = cell.read();
    REQUIRE(seen);
    CHECK(isWhole(seen->value));
    CHECK(seen->value[0] == seen->fence);
    CHECK(seen->fence >= written->load());  // what was reported written is there
    CHECK(seen->fence <= written->load() + 1);
    CHECK(cell.write(wide(seen->fence), seen->fence) == Status::ok);  // no lock is left locked
  }
}
