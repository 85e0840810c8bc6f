#pragma once

#include <ronde/communicator.hpp>
#include <string>

namespace ronde::testing {

/// Every operation once among all members of the view. Each of them calls it, none has mail waiting. Returns
/// nothing, or the first operation that failed and how.
std::string allOperations(Communicator& com);

}  // namespace ronde::testing
