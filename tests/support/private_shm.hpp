#pragma once

#include <cstddef>
#include <string>

#include "tests/support/skip.hpp"

namespace ronde::testing {

/// Gives the calling process a /dev/shm of its own, with room for `bytes`. For forked children, which take it with
/// them when they end. Empty if it worked, otherwise "skipped: " and why this user may not.
std::string enterPrivateShm(std::size_t bytes);

/// Makes that /dev/shm read-only. Empty, or why not.
std::string makeShmReadOnly();

}  // namespace ronde::testing
