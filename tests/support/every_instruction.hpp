#pragma once

#include <functional>

namespace ronde::testing {

/// Runs `body` and calls `look` after each of its instructions: another process may look at any time, and what it
/// sees is what a death would leave. By x86-64's trap flag; elsewhere the test is skipped. `look` runs in a signal
/// handler: it must not throw, nor allocate if `body` does.
void atEveryInstruction(const std::function<void()>& body, const std::function<void()>& look);

}  // namespace ronde::testing
