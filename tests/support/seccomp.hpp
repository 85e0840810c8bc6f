#pragma once

#include <initializer_list>
#include <string>

#include "tests/support/skip.hpp"

namespace ronde::testing {

/// From now on these system calls of this thread, and of those it starts, fail with `error` and do nothing. For
/// forked children, before they start threads. Empty, or "skipped: " and why not.
std::string refuseCalls(std::initializer_list<int> calls, int error);

/// The same for fcntl() with one of these commands.
std::string refuseFcntl(std::initializer_list<int> commands, int error);

}  // namespace ronde::testing
