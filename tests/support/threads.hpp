#pragma once

#include <functional>
#include <string>
#include <vector>

namespace ronde::testing {

/// Calls body(0) to body(count-1) in threads of their own, all at once, and waits for them. They assert nothing.
void runTogether(int count, const std::function<void(int)>& body);

/// The same, and returns what they returned; an exception becomes "<threw: …>".
std::vector<std::string> inThreads(int count, const std::function<std::string(int)>& body);

}  // namespace ronde::testing
