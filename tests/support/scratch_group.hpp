#pragma once

#include <memory>
#include <ronde/communicator.hpp>
#include <string>
#include <vector>

#include "tests/support/watchdog.hpp"

namespace ronde::testing {

/// A group of one test, under a name that nobody else uses. At its end it checks that nothing of the group is left
/// in /dev/shm (P7). Guards the test with a watchdog.
class ScratchGroup {
 public:
  ScratchGroup();
  ScratchGroup(const ScratchGroup&) = delete;
  ScratchGroup& operator=(const ScratchGroup&) = delete;
  ~ScratchGroup() noexcept(false);

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Where its segment lies.
  [[nodiscard]] std::string path() const;
  [[nodiscard]] bool exists() const;

  /// Options of a member of a founding cohort of `expected`. Nobody is called silent on a loaded machine: a test
  /// of silence asks for impatient() ones.
  [[nodiscard]] Options options(std::string member, int expected = 1) const;
  /// As options(), with a silence limit that a test can wait for.
  [[nodiscard]] Options impatient(std::string member, int expected = 1) const;
  /// The same for member number `id`, called P<id>.
  [[nodiscard]] Options options(int id, int expected) const { return options(memberName(id), expected); }
  [[nodiscard]] Options impatient(int id, int expected) const { return impatient(memberName(id), expected); }
  [[nodiscard]] static std::string memberName(int id) { return "P" + std::to_string(id); }

  /// Waits until `count` members are registered, also while the founding cohort is incomplete.
  void awaitArrivals(int count) const;

 private:
  Watchdog watchdog_;
  std::string name_;
};

/// The members of a founding cohort in this process: element k has id k and the name P<k>.
using Members = std::vector<std::unique_ptr<Communicator>>;
/// `options`: of the first; the others differ in the name only.
Members foundGroup(const ScratchGroup& group, int count, const Options& options);
Members foundGroup(const ScratchGroup& group, int count);

/// Waits until the view is as wanted. (By the number of the view that was looked at: a newer one may have come.)
template <class Wanted>
void awaitView(Communicator& com, Wanted wanted) {
  View view = com.view();
  while (!wanted(view)) view = com.waitView(view.number).value();
}
inline void awaitSize(Communicator& com, std::size_t size) {
  awaitView(com, [&](const View& view) { return view.members.size() == size; });
}

/// "2: P0 P2 | P1 died": number, members, departed.
std::string toText(const View& view);

}  // namespace ronde::testing
