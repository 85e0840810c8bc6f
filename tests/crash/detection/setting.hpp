#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

namespace ronde::crash {

constexpr std::chrono::seconds kPatience{30};

/// Of the clock that all processes share.
inline std::int64_t nowNs() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

template <class Ready>
void await(const char* what, Ready ready) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (!ready()) {
    if (std::chrono::steady_clock::now() > until) throw std::runtime_error(std::string("waited in vain: ") + what);
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

}  // namespace ronde::crash
