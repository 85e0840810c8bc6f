#pragma once

#include <ronde/inspect.hpp>
#include <ronde/ronde.hpp>
#include <stdexcept>

#include "benchmarks/peers/transport.hpp"

namespace ronde::bench {

/// A refusal ends the run, or a loop would count calls that did nothing.
inline void require(const Outcome& outcome) {
  if (!outcome) throw std::runtime_error(outcome.text());
}

/// "bench-" and the id of the calling process, which is to be the parent.
[[nodiscard]] std::string newGroup();
[[nodiscard]] std::string memberName(int process);
/// The defaults, except for what the setting needs.
[[nodiscard]] Options optionsFor(const Setting& setting, int self, const std::string& group);

}  // namespace ronde::bench
