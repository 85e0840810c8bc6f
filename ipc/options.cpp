#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <ronde/error.hpp>
#include <ronde/options.hpp>

namespace ronde {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kGiB = kKiB * kKiB * kKiB;
constexpr long long kDayMs = 24LL * 60 * 60 * 1000;

[[noreturn]] void refuse(const std::string& field, const std::string& value, const std::string& legal) {
  throw Error(Errc::invalidOption, field + " = " + value + " is not allowed; legal: " + legal);
}

/// For a message to people: one line, whatever the text holds.
std::string quoted(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += static_cast<unsigned char>(c) >= 0x20 && c != 0x7f ? c : '?';
  return result + "'";
}

/// The variable that sets a field: heartbeatTimeout -> RONDE_HEARTBEAT_TIMEOUT_MS.
std::string variableOf(std::string_view field, std::string_view unit) {
  std::string variable = "RONDE_";
  for (const char c : field) {
    if (c >= 'A' && c <= 'Z') variable += '_';
    variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return variable + std::string(unit.empty() ? "" : "_MS");
}

/// Like refuse(), and names the environment variable beside the field.
[[noreturn]] void refuseField(const char* field, const std::string& value, const std::string& legal,
                              std::string_view unit = "") {
  refuse(std::string(field) + " (" + variableOf(field, unit) + ")", value, legal);
}

template <class T>
void requireRange(const char* field, T value, T lowest, T highest, const char* unit = "") {
  if (value < lowest || value > highest) {
    refuseField(field, std::to_string(value) + unit,
                std::to_string(lowest) + unit + " to " + std::to_string(highest) + unit, unit);
  }
}

void requireName(const char* field, const std::string& name) {
  bool printable = true;
  for (const char c : name) printable = printable && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  if (name.empty() || name.size() > kMaxNameLength || name.find('/') != std::string::npos || !printable ||
      name == "." || name == "..") {
    refuseField(
        field, quoted(name),
        "1 to " + std::to_string(kMaxNameLength) + " bytes without '/' and control characters, not '.' or '..'");
  }
}

template <class T>
void readNumber(const char* variable, T& into) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return;
  const std::string_view view(text);
  T value{};
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc() || end != view.data() + view.size()) {
    refuse(variable, quoted(view), "a whole number");
  }
  into = value;
}

void readMilliseconds(const char* variable, milliseconds& into) {
  long long count = into.count();
  readNumber(variable, count);
  into = milliseconds(count);
}

template <class T>
struct Choice {
  const char* word;
  T value;
};

template <class T, std::size_t N>
void readChoice(const char* variable, T& into, const Choice<T> (&choices)[N]) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return;
  std::string legal;
  for (const auto& choice : choices) {
    if (std::string_view(text) == choice.word) {
      into = choice.value;
      return;
    }
    legal += (legal.empty() ? "" : ", ") + std::string(choice.word);
  }
  refuse(variable, quoted(text), legal);
}

}  // namespace

std::string Options::defaultName() { return "p" + std::to_string(getpid()); }

Options Options::fromEnvironment() {
  Options options;
  if (const char* group = std::getenv("RONDE_GROUP")) options.group = group;
  if (const char* name = std::getenv("RONDE_NAME")) options.name = name;
  readNumber("RONDE_EXPECTED", options.expected);
  readNumber("RONDE_CAPACITY", options.capacity);
  readNumber("RONDE_MAILBOX_BYTES", options.mailboxBytes);
  readNumber("RONDE_MAILBOX_MESSAGES", options.mailboxMessages);
  readNumber("RONDE_MAX_MESSAGE", options.maxMessage);
  readMilliseconds("RONDE_HEARTBEAT_INTERVAL_MS", options.heartbeatInterval);
  readMilliseconds("RONDE_HEARTBEAT_TIMEOUT_MS", options.heartbeatTimeout);
  readChoice<SilencePolicy>("RONDE_ON_SILENT", options.onSilent,
                            {{"evict", SilencePolicy::evict}, {"wait", SilencePolicy::wait}});
  readChoice<WaitMode>("RONDE_WAITING", options.waiting,
                       {{"adaptive", WaitMode::adaptive}, {"busy", WaitMode::busy}, {"block", WaitMode::block}});
  readChoice<FullPolicy>("RONDE_ON_FULL", options.onFull,
                         {{"block", FullPolicy::block}, {"fail", FullPolicy::fail}, {"drop", FullPolicy::drop}});
  readMilliseconds("RONDE_TIMEOUT_MS", options.timeout);
  readMilliseconds("RONDE_REGISTRATION_TIMEOUT_MS", options.registrationTimeout);
  options.validate();
  return options;
}

void Options::validate() const {
  requireName("group", group);
  requireName("name", name);
  requireRange("expected", expected, 1, kMaxMembers);
  if (capacity != 0) requireRange("capacity", capacity, expected, kMaxMembers);
  requireRange("mailboxBytes", mailboxBytes, 64 * kKiB, kGiB);
  requireRange("mailboxMessages", mailboxMessages, 64, 65536);
  if ((mailboxMessages & (mailboxMessages - 1)) != 0) {
    refuseField("mailboxMessages", std::to_string(mailboxMessages), "a power of two from 64 to 65536");
  }
  requireRange("maxMessage", maxMessage, std::size_t{1}, 256 * kKiB * kKiB);
  requireRange<long long>("heartbeatInterval", heartbeatInterval.count(), 10, 60'000, " ms");
  requireRange<long long>("heartbeatTimeout", heartbeatTimeout.count(), 3 * heartbeatInterval.count(), 600'000,
                          " ms");
  requireRange<long long>("timeout", timeout.count(), 1, kDayMs, " ms");
  requireRange<long long>("registrationTimeout", registrationTimeout.count(), 1, kDayMs, " ms");
  if (onSilent > SilencePolicy::wait) {
    refuseField("onSilent", std::to_string(static_cast<int>(onSilent)), "SilencePolicy::evict, wait");
  }
  if (waiting > WaitMode::block) {
    refuseField("waiting", std::to_string(static_cast<int>(waiting)), "WaitMode::adaptive, busy, block");
  }
  if (onFull > FullPolicy::drop) {
    refuseField("onFull", std::to_string(static_cast<int>(onFull)), "FullPolicy::block, fail, drop");
  }
}

}  // namespace ronde
