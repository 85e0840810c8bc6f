#include "ipc/protocol/fenced_cells.hpp"

#include <array>
#include <cstring>
#include <ronde/error.hpp>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/every_instruction.hpp"
#include "tests/support/random.hpp"
#include "tests/support/stub_oracle.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

/// As large as a cell allows; every word is the same, so that a torn value is recognised.
using Value = std::array<std::uint64_t, 24>;

Value valueOf(std::uint64_t word) {
  Value value;
  value.fill(word);
  return value;
}
bool isWhole(const Value& value) { return value == valueOf(value[0]); }

Status write(const FencedCells& cells, int cell, const Value& value, std::uint64_t fence,
             Deadline deadline = soon()) {
  return cells.write(cell, std::as_bytes(std::span(value)), fence, deadline);
}

struct Read {
  Status status = Status::ok;
  std::uint64_t fence = 0;
  Value value{};
};
Read read(const FencedCells& cells, int cell) {
  Read result;
  const auto fence = cells.read(cell, std::as_writable_bytes(std::span(result.value)));
  result.status = fence.status();
  if (fence) result.fence = *fence;
  return result;
}

Errc openErrc(const FencedCells& cells, std::string_view name, std::size_t size) {
  try {
    static_cast<void>(cells.open(name, size, soon()));
  } catch (const Error& error) {
    return error.errc();
  }
  return Errc{};
}

}  // namespace

TEST_CASE("fenced cells: a name is one cell for all and keeps its size", "[protocol]") {
  const BareGroup group(2);
  const FencedCells first(group[0].context);
  const FencedCells second(group[1].context);
  const int cell = first.open("score", 8, soon());
  CHECK(second.open("score", 8, soon()) == cell);
  CHECK(second.open("other", 16, soon()) != cell);
  CHECK(openErrc(second, "score", 4) == Errc::invalidArgument);
  CHECK(openErrc(first, "", 8) == Errc::invalidArgument);
  CHECK(openErrc(first, std::string(kMaxNameLength + 1, 'x'), 8) == Errc::invalidArgument);
  CHECK(openErrc(first, std::string_view("a\0b", 3), 8) == Errc::invalidArgument);
  CHECK(first.open(std::string(kMaxNameLength, 'x'), 8, soon()) >= 0);
  for (int i = 3; i < kCells; ++i) static_cast<void>(first.open(std::to_string(i), 8, soon()));
  CHECK(openErrc(first, "one too many", 8) == Errc::groupFull);
  CHECK(first.open("score", 8, soon()) == cell);
}

// P2.
TEST_CASE("fenced cells: one who dies while naming a cell leaves it free", "[protocol]") {
  const BareGroup group(2);
  CellState& state = group.segment().cell(0);
  group[1].dieHolding(group.segment().control().registryLock);
  state.name = ShortName("half");
  state.size = 77;
  const FencedCells cells(group[0].context);
  CHECK(cells.open("mine", 8, soon()) == 0);
  CHECK(cells.open("half", 8, soon()) == 1);
  CHECK(state.size == 8);
}

// Design §8: a write is accepted only with a fence not older than the last.
TEST_CASE("fenced cells: a stale fence is refused and the value stays", "[protocol]") {
  const BareGroup group(2);
  const FencedCells cells(group[0].context);
  const FencedCells others(group[1].context);
  const int cell = cells.open("x", sizeof(Value), soon());
  CHECK(read(others, cell).status == Status::empty);
  CHECK(write(cells, cell, valueOf(10), 5) == Status::ok);
  CHECK(read(others, cell).value == valueOf(10));
  CHECK(read(others, cell).fence == 5);
  CHECK(write(others, cell, valueOf(11), 5) == Status::ok);  // the same holder again
  CHECK(write(others, cell, valueOf(12), 4) == Status::staleFence);
  CHECK(write(others, cell, valueOf(13), 0) == Status::staleFence);
  CHECK(read(cells, cell).value == valueOf(11));
  CHECK(write(others, cell, valueOf(14), 1'000'000) == Status::ok);
  CHECK(write(cells, cell, valueOf(15), 6) == Status::staleFence);
  CHECK(read(cells, cell).fence == 1'000'000);
  CHECK(read(cells, cell).value == valueOf(14));
}

TEST_CASE("fenced cells: random writes agree with one value and one number", "[protocol]") {
  Random random;
  CAPTURE(random.seed());
  const BareGroup group(2);
  const FencedCells cells(group[0].context);
  const int cell = cells.open("x", sizeof(Value), soon());
  std::uint64_t fence = 1;
  std::uint64_t word = 0;
  REQUIRE(write(cells, cell, valueOf(word), fence) == Status::ok);
  for (int i = 0; i < 5000; ++i) {
    const std::uint64_t with = fence + random.below(4) - std::min<std::uint64_t>(fence, random.below(4));
    const std::uint64_t what = random.word();
    REQUIRE((write(cells, cell, valueOf(what), with) == Status::ok) == (with >= fence));
    if (with >= fence) {
      fence = with;
      word = what;
    }
    const Read now = read(cells, cell);
    REQUIRE(now.fence == fence);
    REQUIRE(now.value == valueOf(word));
  }
}

// The count of writes under one fence must not run into the fence.
TEST_CASE("fenced cells: many writes under one fence do not change the fence", "[protocol]") {
  const BareGroup group(1);
  const FencedCells cells(group[0].context);
  const int cell = cells.open("x", sizeof(Value), soon());
  group.segment().cell(cell).version.store((9ULL << 22) | ((1U << 22) - 2));
  for (std::uint64_t i = 0; i < 4; ++i) {
    REQUIRE(write(cells, cell, valueOf(i), 9) == Status::ok);
    CHECK(read(cells, cell).fence == 9);
    CHECK(read(cells, cell).value == valueOf(i));
  }
}

// P2: the version is the one commit.
TEST_CASE("fenced cells: a half-written value of a dead writer is never seen", "[protocol]") {
  const BareGroup group(3);
  const FencedCells cells(group[0].context);
  const int cell = cells.open("x", sizeof(Value), soon());
  REQUIRE(write(cells, cell, valueOf(1), 5) == Status::ok);
  CellState& state = group.segment().cell(cell);
  const std::uint64_t next = state.version.load() + 1;
  std::memset(state.values[next & 1], 0xee, 100);
  group[1].dieHolding(state.lock);

  CHECK(read(cells, cell).value == valueOf(1));
  CHECK(write(cells, cell, valueOf(2), 5) == Status::ok);
  CHECK(read(cells, cell).value == valueOf(2));
  CHECK(read(cells, cell).fence == 5);
}

TEST_CASE("fenced cells: at every instruction of a write there is one whole value", "[protocol]") {
  const BareGroup group(2);
  const FencedCells cells(group[0].context);
  const FencedCells others(group[1].context);
  const int cell = cells.open("x", sizeof(Value), soon());
  for (std::uint64_t word = 1; word <= 4; ++word) {
    REQUIRE(write(cells, cell, valueOf(word), 5) == Status::ok);
    int faults = 0;
    atEveryInstruction([&] { static_cast<void>(write(cells, cell, valueOf(word + 1), 5)); },
                       [&] {
                         const Read now = read(others, cell);
                         const bool known = now.value[0] == word || now.value[0] == word + 1;
                         faults += now.status == Status::ok && known && isWhole(now.value) ? 0 : 1;
                       });
    CHECK(faults == 0);
    CHECK(read(others, cell).value == valueOf(word + 1));
  }
}

// P1.
TEST_CASE("fenced cells: a lock not to be had is a refusal with its reason", "[protocol]") {
  const BareGroup group(3);
  const FencedCells cells(group[0].context);
  const int cell = cells.open("x", sizeof(Value), soon());
  wordOf(group.segment().cell(cell).lock).store(SlotLock::ownerWord(group[1].self));
  CHECK(write(cells, cell, valueOf(1), 5, atOnce()) == Status::timeout);
  group[0].noteSilent(group[1].self);
  CHECK(write(cells, cell, valueOf(1), 5, atOnce()) == Status::peerStopped);
  CHECK(read(cells, cell).status == Status::empty);
}

TEST_CASE("fenced cells: readers see whole values and growing fences while others write", "[protocol][threads]") {
  const Watchdog watchdog;
  const BareGroup group(4);
  constexpr std::uint64_t kWrites = 20'000;
  const int cell = FencedCells(group[0].context).open("x", sizeof(Value), soon());
  std::atomic<bool> done{false};
  std::atomic<int> faults{0};
  std::atomic<std::uint64_t> nextFence{0};
  std::atomic<int> writers{2};
  runTogether(4, [&](int thread) {
    const FencedCells cells(group[static_cast<std::size_t>(thread)].context);
    if (thread < 2) {
      while (nextFence < kWrites) {
        const std::uint64_t fence = ++nextFence / 8 + 1;  // also several under one fence
        const Status status = write(cells, cell, valueOf(fence), fence);
        faults += status == Status::ok || status == Status::staleFence ? 0 : 1;
      }
      if (--writers == 0) done = true;
      return;
    }
    std::uint64_t last = 0;
    while (!done) {
      const Read now = read(cells, cell);
      if (now.status != Status::ok) continue;  // empty, or the writers were too fast
      if (!isWhole(now.value) || now.value[0] != now.fence || now.fence < last) ++faults;
      last = now.fence;
    }
  });
  CHECK(faults == 0);
}
