#include "ipc/membership/views.hpp"

#include <cstring>
#include <ronde/inspect.hpp>
#include <thread>

#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/every_instruction.hpp"
#include "tests/support/random.hpp"
#include "tests/support/threads.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

/// A view whose every field follows from its number, so that a mixture of two is recognised.
ViewData viewNumber(std::uint64_t number) {
  ViewData view;
  view.number = number;
  for (std::uint32_t i = 0; i < 1 + number % 14; ++i) {
    const auto slot = static_cast<std::uint32_t>((number + i) % 16);
    view.members.push_back({slot, static_cast<std::uint32_t>(number), number * 100 + i,
                            ShortName(std::to_string(number) + "." + std::to_string(i))});
  }
  for (std::uint32_t i = 0; i < number % 5; ++i) {
    view.departures.push_back({i, static_cast<std::uint32_t>(number), number, 1 + i % 3, ShortName("gone")});
  }
  return view;
}

bool isWhole(const ViewData& view) {
  const ViewData expected = viewNumber(view.number);
  const auto sameMember = [](const ViewEntry& a, const ViewEntry& b) {
    return a.slot == b.slot && a.incarnation == b.incarnation && a.arrival == b.arrival && a.name == b.name;
  };
  const auto sameDeparture = [](const DepartureEntry& a, const DepartureEntry& b) {
    return a.slot == b.slot && a.incarnation == b.incarnation && a.view == b.view && a.reason == b.reason;
  };
  return std::equal(view.members.begin(), view.members.end(), expected.members.begin(), expected.members.end(),
                    sameMember) &&
         std::equal(view.departures.begin(), view.departures.end(), expected.departures.begin(),
                    expected.departures.end(), sameDeparture);
}

void installAll(const Views& views, std::uint64_t from, std::uint64_t to) {
  for (std::uint64_t number = from; number <= to; ++number) views.install(viewNumber(number));
}

}  // namespace

TEST_CASE("views: before the founding there is an empty view 0", "[membership]") {
  const auto segment = Segment::joinOrCreate(scratchOptions(), soon());
  const Views views(*segment);
  CHECK(views.number() == 0);
  const auto view = views.current();
  REQUIRE(view);
  CHECK(view->number == 0);
  CHECK(view->members.empty());
  CHECK_FALSE(views.at(1));
}

// P4: all see the same view under the same number.
TEST_CASE("views: what is installed is read and the last ones are remembered", "[membership]") {
  const auto segment = Segment::joinOrCreate(scratchOptions(), soon());
  const Views views(*segment);
  for (std::uint64_t number = 1; number <= 40; ++number) {
    views.install(viewNumber(number));
    REQUIRE(views.number() == number);
    REQUIRE(views.current());
    REQUIRE(views.current()->number == number);
    REQUIRE(isWhole(*views.current()));
    // One buffer may be under the pen of the next writer already.
    for (std::uint64_t back = 0; back < number; ++back) {
      const auto view = views.at(number - back);
      REQUIRE(view.has_value() == (back < kRememberedViews - 1));
      if (view) REQUIRE(isWhole(*view));
    }
    REQUIRE_FALSE(views.at(number + 1));
  }
}

// P2: the number is the one commit.
TEST_CASE("views: a writer that died before the commit has changed nothing", "[membership]") {
  const auto segment = Segment::joinOrCreate(scratchOptions(), soon());
  const Views views(*segment);
  installAll(views, 1, 9);
  std::memset(static_cast<void*>(&segment->view(10)), 0xee, sizeof(ViewState));
  CHECK(isWhole(*views.current()));
  for (std::uint64_t number = 3; number <= 9; ++number) CHECK(isWhole(*views.at(number)));
  views.install(viewNumber(10));
  CHECK(isWhole(*views.current()));
}

TEST_CASE("views: at every instruction of an installation there is one whole view", "[membership]") {
  const auto segment = Segment::joinOrCreate(scratchOptions(), soon());
  const Views views(*segment);
  installAll(views, 1, 8);
  for (std::uint64_t number = 9; number <= 12; ++number) {
    const ViewData next = viewNumber(number);
    int faults = 0;
    atEveryInstruction([&] { views.install(next); },
                       [&] {
                         const auto now = views.current();
                         faults += now && now->number >= number - 1 && isWhole(*now) ? 0 : 1;
                       });
    CHECK(faults == 0);
    CHECK(views.number() == number);
  }
}

TEST_CASE("views: ids are ranks and handles are not mistaken", "[membership]") {
  const ViewData view = viewNumber(9);
  CHECK(view.idOf(view.memberAt(0)) == 0);
  CHECK(view.idOf(view.memberAt(9)) == 9);
  CHECK(view.idOf({view.members[3].slot, view.members[3].incarnation + 1}) == kUnknownId);
  CHECK_FALSE(view.contains({15, 1}));

  const View shown = view.toPublic();
  CHECK(shown.number == 9);
  REQUIRE(shown.size() == 10);
  for (MemberId id = 0; id < 10; ++id) CHECK(shown.members[static_cast<std::size_t>(id)].id == id);
  CHECK(shown.members[4].name.view() == "9.4");
  REQUIRE(shown.departed.size() == 4);
  CHECK(shown.departed[1].reason == Departure::died);
  CHECK(shown.departed[1].view == 9);
}

// P6: nothing, and no crash.
TEST_CASE("views: garbage is no view", "[membership]") {
  const auto segment = Segment::joinOrCreate(scratchOptions(), soon());
  const Views views(*segment);
  installAll(views, 1, 13);
  ViewState& state = segment->view(13);
  REQUIRE(views.current()->members.size() == 14);
  SECTION("another number") { state.number = 12; }
  SECTION("more members than slots") { state.members = 17; }
  SECTION("members without end") { state.members = ~0U; }
  SECTION("more departures than are kept") { state.departures = View::kRememberedDepartures + 1; }
  SECTION("a slot that does not exist") { state.member[7].slot = 16; }
  SECTION("one slot twice") { state.member[7].slot = state.member[8].slot; }
  CHECK_FALSE(views.current());
  CHECK_FALSE(views.at(13));
  CHECK(views.at(12));
}

TEST_CASE("views: random garbage crashes nobody", "[membership]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  const auto segment = Segment::joinOrCreate(scratchOptions(), soon());
  const Views views(*segment);
  installAll(views, 1, 13);
  auto* bytes = reinterpret_cast<unsigned char*>(&segment->view(13));
  for (int i = 0; i < 20'000; ++i) {
    bytes[random.below(random.oneIn(3) ? 24 : sizeof(ViewState))] = static_cast<unsigned char>(random.word());
    if (random.oneIn(20)) installAll(views, 13, 13);
    const auto view = views.current();
    if (!view) continue;
    for (const ViewEntry& entry : view->members) REQUIRE(entry.slot < 16);
    REQUIRE(view->members.size() <= 16);
  }
}

// P6: a program may have a case for each of the three reasons, and none for another.
TEST_CASE("views: a reason for a departure that garbage left without a name is shown as a death", "[membership]") {
  const auto segment = Segment::joinOrCreate(scratchOptions(), soon());
  const Views views(*segment);
  installAll(views, 1, 9);
  for (const std::uint64_t garbage : {0ULL, 4ULL, ~0ULL, 257ULL}) {
    segment->view(9).departed[0].reason = garbage;
    CHECK(views.current()->toPublic().departed[0].reason == Departure::died);
  }
}

// P6: the same of the inspector, whose purpose is to show damage: it has a name for it.
TEST_CASE("views: the inspector calls a slot's state damaged that no member writes", "[membership]") {
  const Options options = scratchOptions();
  const auto segment = Segment::joinOrCreate(options, soon());
  segment->slot(0).word = SlotWord{1, static_cast<Phase>(9), {}}.pack();
  segment->slot(1).word = SlotWord{1, Phase::departed, {}}.pack();
  const auto slots = GroupInspector::open(options.group)->slots();
  REQUIRE(slots.size() == 2);
  CHECK(slots[0].state == SlotState::damaged);
  CHECK(slots[1].state == SlotState::departed);
}

// P6: a name without its end must not be read beyond its 32 bytes.
TEST_CASE("views: a name that garbage left without an end is cut off", "[membership]") {
  const auto segment = Segment::joinOrCreate(scratchOptions(), soon());
  const Views views(*segment);
  installAll(views, 1, 1);
  ViewEntry& last = segment->view(1).member[1];
  std::memset(static_cast<void*>(&last.name), 'x', sizeof(last.name));
  const auto view = views.current();
  REQUIRE(view);
  REQUIRE(view->members.size() == 2);
  CHECK(view->members[1].name.view().size() <= kMaxNameLength + 1);
  CHECK(view->toPublic().members[1].name.view().size() <= kMaxNameLength + 1);
}

// SYNC: view-buffer. Readers without a lock see whole views only, while one writer goes round the buffers.
TEST_CASE("views: readers see whole views while others are installed", "[membership][threads]") {
  const Watchdog watchdog;
  const auto segment = Segment::joinOrCreate(scratchOptions(), soon());
  const Views views(*segment);
  constexpr std::uint64_t kViews = 4000;
  std::atomic<int> faults{0};
  std::atomic<long> looks{0};
  installAll(views, 1, 1);
  runTogether(3, [&](int thread) {
    if (thread == 0) {
      for (std::uint64_t number = 2; number <= kViews; ++number) {
        views.install(viewNumber(number));
        if (number % 16 == 0) std::this_thread::yield();
      }
      return;
    }
    std::uint64_t last = 0;
    while (last < kViews) {
      const auto view = views.current();
      ++looks;
      if (!view || !isWhole(*view) || view->number < last) ++faults;
      if (view) last = view->number;
      const auto old = views.at(last > 4 ? last - 4 : 1);
      if (old && !isWhole(*old)) ++faults;
    }
  });
  CHECK(faults == 0);
  CHECK(looks > 2);
}
