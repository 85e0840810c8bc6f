#pragma once

#include <deque>
#include <map>
#include <optional>
#include <ronde/inspect.hpp>
#include <string>
#include <utility>

#include "bin/launcher/descriptor.hpp"
#include "bin/launcher/process.hpp"

namespace ronde::tool {

/// What the launcher knows of the group, without being a member: who has registered, and each one's counters.
class GroupWatch {
 public:
  explicit GroupWatch(std::string group);

  /// Looks at the group as it is now, and notes in `processes` who has joined and what it has sent and received.
  void look(std::deque<Process>& processes);

  /// True once the founding cohort is complete.
  [[nodiscard]] bool isComplete() const { return complete_; }
  /// True once a segment of the group could be looked at.
  [[nodiscard]] bool isVisible() const { return inspector_.has_value(); }
  /// How many segments of the group's name have come into being, even if they have gone again between two looks.
  [[nodiscard]] int created() const { return created_; }
  /// Readable when a segment has come into being; -1 if that cannot be watched.
  [[nodiscard]] int descriptor() const { return notices_.get(); }

 private:
  void readNotices();

  struct Seen {
    Process* process = nullptr;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
  };

  std::string group_;
  Descriptor notices_;  ///< inotify on the folder of the segments
  std::optional<GroupInspector> inspector_;
  std::map<std::pair<int, Member>, Seen> seen_;  ///< by process id and handle: a process that rejoins is several
  bool complete_ = false;
  int created_ = 0;
  bool isNewSegment_ = false;
};

}  // namespace ronde::tool
