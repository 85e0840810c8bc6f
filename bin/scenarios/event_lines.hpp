#pragma once

#include <ronde/event.hpp>

#include "bin/line.hpp"

namespace ronde::tool {

/// The line of a library event: tag and sentence, from the one table of all events.
[[nodiscard]] Line lineOf(const Event& event);

/// The facts of `event` that its line and its JSON object show. `before`: the view of the event before, to tell
/// who came and who went; null if there was none.
[[nodiscard]] Fields fieldsOf(const Event& event, const View* before);

}  // namespace ronde::tool
