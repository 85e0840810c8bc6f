#pragma once

#include <chrono>

namespace ronde::testing {

/// Ends the whole run, with a message and the name of the test, if the test hangs. It is no measure of speed: the
/// limit is many times what the slowest build needs. Of nested ones the outermost counts.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::seconds limit = std::chrono::seconds(90));
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog();
};

}  // namespace ronde::testing
