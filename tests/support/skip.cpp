#include "tests/support/skip.hpp"

#include <cerrno>
#include <cstring>

#include "tests/support/catch.hpp"

namespace ronde::testing {
namespace {

bool skipped = false;

}  // namespace

void skip(const std::string& why) {
  skipped = true;
  WARN(why);
}

bool wasAnythingSkipped() { return skipped; }

std::string skippedBecause(const std::string& what) { return "skipped: " + what + ": " + std::strerror(errno); }

bool wasSkipped(const std::string& report) {
  if (report.rfind("skipped", 0) != 0) return false;
  skip(report);
  return true;
}

}  // namespace ronde::testing
