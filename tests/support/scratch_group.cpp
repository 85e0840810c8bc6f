#include "tests/support/scratch_group.hpp"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <future>
#include <ronde/inspect.hpp>
#include <thread>

#include "tests/support/catch.hpp"

namespace ronde::testing {
namespace {

std::string uniqueName() {
  static int counter = 0;
  return "test." + std::to_string(getpid()) + "." + std::to_string(++counter);
}

int registeredIn(const std::string& group) {
  const auto inspector = GroupInspector::open(group);
  if (!inspector) return 0;
  const auto slots = inspector->slots();
  return static_cast<int>(std::count_if(slots.begin(), slots.end(),
                                        [](const SlotReport& slot) { return slot.state == SlotState::active; }));
}

}  // namespace

ScratchGroup::ScratchGroup() : name_(uniqueName()) {}

ScratchGroup::~ScratchGroup() noexcept(false) {
  const bool left = exists();
  unlink(path().c_str());
  if (std::uncaught_exceptions() > 0) return;  // the test has failed already, and was cut short
  INFO(path() << " must not be left behind (P7)");
  CHECK_FALSE(left);
}

std::string ScratchGroup::path() const { return "/dev/shm/ronde." + std::to_string(geteuid()) + "." + name_; }

bool ScratchGroup::exists() const { return access(path().c_str(), F_OK) == 0; }

Options ScratchGroup::options(std::string member, int expected) const {
  Options options;
  options.group = name_;
  options.name = std::move(member);
  options.expected = expected;
  options.heartbeatInterval = std::chrono::milliseconds(100);
  options.heartbeatTimeout = std::chrono::seconds(30);
  return options;
}

Options ScratchGroup::impatient(std::string member, int expected) const {
  Options options = this->options(std::move(member), expected);
  options.heartbeatInterval = std::chrono::milliseconds(20);
  options.heartbeatTimeout = std::chrono::milliseconds(600);
  return options;
}

void ScratchGroup::awaitArrivals(int count) const {
  while (registeredIn(name_) < count) std::this_thread::yield();
}

Members foundGroup(const ScratchGroup& group, int count, const Options& options) {
  std::vector<std::future<std::unique_ptr<Communicator>>> arriving;
  for (int id = 0; id < count; ++id) {
    Options own = options;
    own.expected = count;
    own.name = ScratchGroup::memberName(id);
    arriving.push_back(std::async(std::launch::async, [own] { return std::make_unique<Communicator>(own); }));
    if (id + 1 < count) group.awaitArrivals(id + 1);
  }
  Members members;
  for (auto& one : arriving) members.push_back(one.get());
  return members;
}

Members foundGroup(const ScratchGroup& group, int count) {
  return foundGroup(group, count, group.options(0, count));
}

std::string toText(const View& view) {
  std::string text = std::to_string(view.number) + ":";
  for (const ViewMember& member : view.members) text += " " + std::string(member.name.view());
  if (!view.departed.empty()) text += " |";
  for (const DepartedMember& member : view.departed) {
    text += " " + std::string(member.name.view()) + " " + std::string(toString(member.reason));
  }
  return text;
}

}  // namespace ronde::testing
