#pragma once

#include "tests/crash/crew.hpp"

namespace ronde::crash {

/// Member "v" of a point's group, traced by its parent: it stops at a mark before the first instruction that
/// counts and at another after the last. In mode stop it then says what its next call returned, and leaves.
[[noreturn]] void runVictim(const Plan& plan, Board& board);

/// Member "w", not traced: it lies idle while its service thread repairs.
[[noreturn]] void runRepairer(const Plan& plan, Board& board);

}  // namespace ronde::crash
