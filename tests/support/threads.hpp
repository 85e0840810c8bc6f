#pragma once

#include <functional>
#include <string>
#include <vector>

namespace ronde::testing {

/// Runs body(0) to body(n-1) in threads at once and returns what they returned. They assert nothing; an exception
/// becomes "<threw: …>".
std::vector<std::string> inThreads(int n, const std::function<std::string(int)>& body);

}  // namespace ronde::testing
