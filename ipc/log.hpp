#pragma once

#include <spdlog/fmt/fmt.h>

#include <string_view>

// The library's own words, through spdlog: changes of state only (create, join, leave, death, repair), never per
// message. Off unless RONDE_LOG names a level (trace, debug, info, warn, error); written to standard error.
namespace ronde::detail::log {

enum class Level { info, warn, error };

[[nodiscard]] bool enabled(Level level) noexcept;
void write(Level level, std::string_view text) noexcept;

template <class... Args>
void at(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::warn, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  at(Level::error, format, std::forward<Args>(args)...);
}

}  // namespace ronde::detail::log
