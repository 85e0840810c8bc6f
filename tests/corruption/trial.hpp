#pragma once

#include <ronde/options.hpp>
#include <string>

#include "tests/corruption/board.hpp"
#include "tests/corruption/damage.hpp"

namespace ronde::corruption {

/// Options of every group here: as small as they go, so that there is little control data.
[[nodiscard]] Options smallGroup(const std::string& group, const std::string& name, int expected);
[[nodiscard]] detail::Geometry geometryOfSmallGroup();

/// One group of two, worked in for a while, damaged, and worked in again: the whole set of operations by both, a
/// newcomer, an inspector, and whoever founds the group again when all have left.
/// @throws anything else than ronde::Error if the library does.
Verdict runTrial(const std::string& group, const Damage& damage, const ControlData& data, Board& board);

}  // namespace ronde::corruption
