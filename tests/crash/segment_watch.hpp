#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "ipc/segment/segment.hpp"

namespace ronde::crash {

/// Tells whether anything in a group's segment has changed since it was asked last, whoever changed it. Left out
/// are what changes all the time (heartbeats, clocks, counts of messages, the service threads' wake words), blocks
/// of slots that were never used, and payload: it is for the constructors, which write none, and compares at each
/// of their 100,000 instructions.
class SegmentWatch {
 public:
  explicit SegmentWatch(std::string group) : group_(std::move(group)) {}

  /// `mayHaveAppeared`: looks for the segment if there was none; a name appears by a system call only.
  [[nodiscard]] bool hasChanged(bool mayHaveAppeared);

 private:
  [[nodiscard]] bool differs(const void* bytes, std::size_t size);

  std::string group_;
  std::unique_ptr<detail::Segment> segment_;
  std::vector<std::byte> known_;
  std::size_t at_ = 0;  ///< in known_, during a comparison
};

}  // namespace ronde::crash
