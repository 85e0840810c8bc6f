#pragma once

#include <string>

namespace ronde::testing {

/// What a test program returns when nothing failed, but something could not be tested here: ctest, which runs each
/// test by itself, calls it skipped and not passed.
inline constexpr int kSkipped = 77;

/// Says on the console why the test is skipped.
void skip(const std::string& why);
[[nodiscard]] bool wasAnythingSkipped();

/// "skipped: `what`: " and what errno says, for the report of a child that may not do something.
[[nodiscard]] std::string skippedBecause(const std::string& what);

/// True if `report` says that a child skipped its test ("skipped: …"); notes it.
bool wasSkipped(const std::string& report);

}  // namespace ronde::testing
