// The registry in random runs beside a dumb model: a list of names.

#include <deque>
#include <map>
#include <set>

#include "ipc/membership/registry.hpp"
#include "tests/support/bare_group.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/random.hpp"
#include "tests/support/watchdog.hpp"

using namespace ronde;
using namespace ronde::detail;
using namespace ronde::testing;

namespace {

struct Model {
  std::uint64_t number = 1;
  std::vector<Member> members;
  std::deque<std::pair<Member, Departure>> departures;

  void remove(Member member, Departure why) {
    std::erase(members, member);
    departures.emplace_back(member, why);
    if (departures.size() > View::kRememberedDepartures) departures.pop_front();
  }
  /// Departures are listed in the order of the members of the view before.
  void removeAll(const std::map<Member, Departure>& gone) {
    for (const Member& member : std::vector<Member>(members)) {
      if (const auto found = gone.find(member); found != gone.end()) remove(member, found->second);
    }
  }
};

void compare(const ViewData& view, const Model& model) {
  REQUIRE(view.number == model.number);
  REQUIRE(view.members.size() == model.members.size());
  for (std::size_t id = 0; id < model.members.size(); ++id) REQUIRE(view.memberAt(id) == model.members[id]);
  REQUIRE(view.departures.size() == model.departures.size());
  for (std::size_t i = 0; i < model.departures.size(); ++i) {
    REQUIRE(view.departures[i].slot == model.departures[i].first.slot);
    REQUIRE(view.departures[i].incarnation == model.departures[i].first.incarnation);
    REQUIRE(static_cast<Departure>(view.departures[i].reason) == model.departures[i].second);
  }
}

}  // namespace

// P4 and the specification's numbering: rank among the living in arrival order, through any sequence of arrivals,
// departures, deaths and deaths of those who install the views. Handles are never used twice.
TEST_CASE("registry: random arrivals and departures agree with a list", "[membership]") {
  const Watchdog watchdog;
  Random random;
  CAPTURE(random.seed());
  const Options options = scratchOptions(2);
  std::map<Member, std::unique_ptr<BareMember>> living;
  std::set<Member> everSeen;
  Model model;
  int names = 0;
  const auto make = [&]() -> BareMember& {
    auto member = std::make_unique<BareMember>(options, "n" + std::to_string(++names));
    REQUIRE(everSeen.insert(member->self).second);
    const Member self = member->self;
    return *(living[self] = std::move(member));
  };
  for (int i = 0; i < 2; ++i) {
    BareMember& member = make();
    static_cast<void>(member.admit());
    model.members.push_back(member.self);
  }
  const auto anybody = [&]() -> BareMember& {
    return *living.at(model.members[random.below(model.members.size())]);
  };
  const auto shutOut = [&](const Member& member, Departure why) {
    const auto node = living.extract(member);
    if (why != Departure::left) node.mapped()->die();
    return why;
  };

  for (int step = 0; step < 1500; ++step) {
    CAPTURE(step);
    if (model.members.size() < 2 || (model.members.size() < 12 && random.oneIn(2))) {
      BareMember& member = make();
      REQUIRE(member.admit() == Admission::admitted);
      model.members.push_back(member.self);
      ++model.number;
    } else {
      // Some go at once, one of them perhaps after a proposer shut it out and died; the last of them is alive.
      BareMember& proposer = anybody();
      std::map<Member, Departure> gone;
      std::vector<Leaving> leaving;
      for (std::uint64_t i = 1 + random.below(3); i > 0; --i) {
        const Member member = anybody().self;
        if (member == proposer.self || gone.count(member) != 0) continue;
        const auto why = static_cast<Departure>(1 + random.below(3));
        if (random.oneIn(4)) {
          living.at(member)->table().departedView.store(model.number + 1);
          living.at(member)->setPhase(Phase::departed, why);
        } else {
          leaving.push_back({member, why});
        }
        gone[member] = why;
      }
      REQUIRE(proposer.registry.remove(proposer.context, leaving, soon()) == !gone.empty());
      for (const auto& [member, why] : gone) shutOut(member, why);
      if (!gone.empty()) ++model.number;
      model.removeAll(gone);
    }
    compare(*anybody().context.views.current(), model);
    cleanUp(anybody().context, anybody().registry);
  }
  CHECK(model.departures.size() == View::kRememberedDepartures);
  CHECK(everSeen.size() > 200);
}
