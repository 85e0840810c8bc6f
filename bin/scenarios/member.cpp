#include "bin/scenarios/member.hpp"

#include <algorithm>

namespace ronde::tool {
namespace {

constexpr Line kRefused{"refused",
                        "REFUS",
                        {"{call} : {status}[[ ; disparus : {failed}]][[ ; absents : {missing}]]",
                         "{call}: {status}[[; failed: {failed}]][[; missing: {missing}]]"}};

Fields idsIn(const IdSet& set) {
  Fields ids = Fields::array();
  set.forEach([&](MemberId id) { ids.push_back(id); });
  return ids;
}

}  // namespace

ScenarioMember::ScenarioMember(const ScenarioSettings& settings, Interruption& interruption)
    : ScenarioMember(settings, interruption, optionsOf(settings)) {}

ScenarioMember::ScenarioMember(const ScenarioSettings& settings, Interruption& interruption, Options options)
    : expected_(options.expected), trace_(settings, options), interruption_(interruption) {
  // A peer that only pauses must not look like one that does not come.
  options.timeout = std::max(options.timeout, 4 * settings.pause);
  options.observer = [this](const Event& event) { observe(event); };
  com_ = std::make_unique<Communicator>(std::move(options));
  interruption_.guard(com_.get());
}

ScenarioMember::~ScenarioMember() { interruption_.guard(nullptr); }

View ScenarioMember::view() {
  View view = com_->view();
  if (view.idOf(com_->member()) == kUnknownId) {
    throw Ended{interruption_.exitCode() != 0 ? Ended::Why::interrupted : Ended::Why::evicted};
  }
  return view;
}

std::vector<Member> ScenarioMember::foundersIn(const View& view) const {
  const int left = std::clamp(expected_ - static_cast<int>(view.departed.size()), 1, view.size());
  std::vector<Member> founders;
  for (int id = 0; id < left; ++id) founders.push_back(view.members[static_cast<std::size_t>(id)].member);
  return founders;
}

void ScenarioMember::observe(const Event& event) {
  trace_.show(event);
  const std::scoped_lock lock(mutex_);
  if (event.roster != nullptr) latest_ = *event.roster;
  if (event.type == EventType::heartbeat) beating_.emplace(event.peerName.view());
  if (event.type == EventType::evicted || event.type == EventType::stopping) out_ = true;
  changed_.notify_all();
}

bool ScenarioMember::awaitHeartbeats(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  const auto allBeat = [&] {
    return std::all_of(latest_.members.begin(), latest_.members.end(), [&](const ViewMember& one) {
      return one.name.view() == com_->name() || beating_.contains(one.name.view());
    });
  };
  return changed_.wait_for(lock, limit, [&] { return out_ || allBeat(); }) && allBeat();
}

void ScenarioMember::check(const Outcome& outcome) {
  switch (outcome.status) {
    case Status::evicted: throw Ended{Ended::Why::evicted};
    case Status::stopped: throw Ended{Ended::Why::interrupted};
    case Status::segmentCorrupt:
    case Status::mailboxCorrupt: throw Ended{Ended::Why::corrupt};
    default: return;
  }
}

void ScenarioMember::handle(std::string_view call, const Outcome& outcome) {
  if (outcome.ok()) return;
  trace_.remark(kRefused, {{"call", call},
                           {"status", toString(outcome.status)},
                           {"failed", idsIn(outcome.failed)},
                           {"missing", idsIn(outcome.missing)}});
  check(outcome);
}

}  // namespace ronde::tool
