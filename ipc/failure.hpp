#pragma once

#include <cerrno>
#include <cstring>
#include <ronde/error.hpp>
#include <string>

namespace ronde::detail {

/// Throws Error(system): `action` (e.g. "opening /dev/shm/x") failed with `code`, and what to do, if known.
[[noreturn]] inline void throwSystem(const std::string& action, int code, const std::string& advice = {}) {
  throw Error(Errc::system,
              action + " failed: " + std::strerror(code) + (advice.empty() ? std::string() : "; " + advice));
}

}  // namespace ronde::detail
