#pragma once

#include "ipc/sync/deadline.hpp"

namespace ronde::testing {

/// Enough for anything that does not hang; a test that reaches it fails.
inline detail::Deadline soon() { return detail::Deadline::in(std::chrono::seconds(50)); }
inline detail::Deadline atOnce() { return detail::Deadline::passedAlready(); }

}  // namespace ronde::testing
