#include "ipc/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>

namespace ronde::detail::log {
namespace {

spdlog::logger& logger() {
  // Never destroyed: communicators may outlive static destruction.
  static auto* const instance = [] {
    auto* const made = new spdlog::logger("ronde", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("%H:%M:%S.%f [%n %P] [%l] %v");
    const char* level = std::getenv("RONDE_LOG");
    made->set_level(level == nullptr ? spdlog::level::off : spdlog::level::from_str(level));
    return made;
  }();
  return *instance;
}

spdlog::level::level_enum toSpdlog(Level level) noexcept {
  switch (level) {
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

bool enabled(Level level) noexcept { return logger().should_log(toSpdlog(level)); }

void write(Level level, std::string_view text) noexcept { logger().log(toSpdlog(level), text); }

}  // namespace ronde::detail::log
