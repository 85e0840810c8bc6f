#include <unistd.h>

#include <list>

#include "tests/support/environment.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/scratch_group.hpp"

using namespace ronde;
using namespace ronde::testing;
using namespace std::chrono_literals;

namespace {

/// One illegal value of one field, and what the error must name.
struct Illegal {
  std::string field;
  std::string value;
  std::string range;
  std::function<void(Options&)> set;
};

std::vector<Illegal> illegalValues() {
  const std::string names = "1 to 31 bytes";
  const std::string day = "1 ms to 86400000 ms";
  std::vector<Illegal> list = {
      {"expected", "0", "1 to 512", [](Options& o) { o.expected = 0; }},
      {"expected", "-1", "1 to 512", [](Options& o) { o.expected = -1; }},
      {"expected", "513", "1 to 512", [](Options& o) { o.expected = 513; }},
      {"capacity", "-1", "1 to 512", [](Options& o) { o.capacity = -1; }},
      {"capacity", "3", "4 to 512", [](Options& o) { o.expected = 4, o.capacity = 3; }},
      {"capacity", "513", "1 to 512", [](Options& o) { o.capacity = 513; }},
      {"mailboxBytes", "65535", "65536 to 1073741824", [](Options& o) { o.mailboxBytes = 65535; }},
      {"mailboxBytes", "1073741825", "65536 to 1073741824", [](Options& o) { o.mailboxBytes = 1073741825; }},
      {"mailboxMessages", "63", "64 to 65536", [](Options& o) { o.mailboxMessages = 63; }},
      {"mailboxMessages", "100", "64 to 65536", [](Options& o) { o.mailboxMessages = 100; }},
      {"mailboxMessages", "131072", "64 to 65536", [](Options& o) { o.mailboxMessages = 131072; }},
      {"maxMessage", "0", "1 to 268435456", [](Options& o) { o.maxMessage = 0; }},
      {"maxMessage", "268435457", "1 to 268435456", [](Options& o) { o.maxMessage = 268435457; }},
      {"heartbeatInterval", "9 ms", "10 ms to 60000 ms", [](Options& o) { o.heartbeatInterval = 9ms; }},
      {"heartbeatInterval", "60001 ms", "10 ms to 60000 ms", [](Options& o) { o.heartbeatInterval = 60001ms; }},
      {"heartbeatTimeout", "1499 ms", "1500 ms to 600000 ms", [](Options& o) { o.heartbeatTimeout = 1499ms; }},
      {"heartbeatTimeout", "600001 ms", "1500 ms to 600000 ms", [](Options& o) { o.heartbeatTimeout = 600001ms; }},
      {"timeout", "0 ms", day, [](Options& o) { o.timeout = 0ms; }},
      {"timeout", "-5 ms", day, [](Options& o) { o.timeout = -5ms; }},
      {"timeout", "86400001 ms", day, [](Options& o) { o.timeout = 86400001ms; }},
      {"registrationTimeout", "0 ms", day, [](Options& o) { o.registrationTimeout = 0ms; }},
      {"registrationTimeout", "86400001 ms", day, [](Options& o) { o.registrationTimeout = 86400001ms; }},
      {"onSilent", "2", "evict, wait", [](Options& o) { o.onSilent = static_cast<SilencePolicy>(2); }},
      {"waiting", "3", "adaptive, busy, block", [](Options& o) { o.waiting = static_cast<WaitMode>(3); }},
      {"onFull", "3", "block, fail, drop", [](Options& o) { o.onFull = static_cast<FullPolicy>(3); }},
  };
  struct Name {
    std::string bad, shown;
  };
  // Control characters would garble the text, or end it, so they are not shown as they are.
  for (const auto& [bad, shown] : std::vector<Name>{{"", "''"},
                                                    {std::string(32, 'x'), "'" + std::string(32, 'x') + "'"},
                                                    {"a/b", "'a/b'"},
                                                    {".", "'.'"},
                                                    {"..", "'..'"},
                                                    {"a\nb", "'a?b'"},
                                                    {std::string("a\0b", 3), "'a?b'"},
                                                    {"a\x7f", "'a?'"}}) {
    list.push_back({"group", shown, names, [name = bad](Options& o) { o.group = name; }});
    list.push_back({"name", shown, names, [name = bad](Options& o) { o.name = name; }});
  }
  return list;
}

}  // namespace

TEST_CASE("every illegal option is refused by an error that names field, value and range (issue 2, section 2)") {
  for (const auto& [field, value, range, set] : illegalValues()) {
    Options options;
    options.group = "never founded";
    REQUIRE_FALSE(errorOf([&] { return options.validate(), 0; }));
    set(options);
    const auto error = errorOf([&] { return Communicator(options).id(); });
    CAPTURE(field, value);
    REQUIRE(error);
    CHECK(error->errc() == Errc::invalidOption);
    CAPTURE(error->what());
    CHECK(mentions(error->what(), {field, value, range}));
    CHECK(error->code() == Errc::invalidOption);
    CHECK(error->code().category().name() == std::string("ronde"));
  }
}

TEST_CASE("the ends of each legal range are accepted (issue 2, section 2)") {
  const std::vector<std::function<void(Options&)>> legal = {
      [](Options& o) { o.expected = 1, o.capacity = 1; },
      [](Options& o) { o.expected = kMaxMembers, o.capacity = kMaxMembers; },
      [](Options& o) { o.capacity = 0; },
      [](Options& o) { o.mailboxBytes = 64 * 1024; },
      [](Options& o) { o.mailboxBytes = 1024 * 1024 * 1024; },
      [](Options& o) { o.mailboxMessages = 64; },
      [](Options& o) { o.mailboxMessages = 65536; },
      [](Options& o) { o.maxMessage = 1; },
      [](Options& o) { o.maxMessage = 256 * 1024 * 1024; },
      [](Options& o) { o.heartbeatInterval = 10ms, o.heartbeatTimeout = 30ms; },
      [](Options& o) { o.heartbeatInterval = 60s, o.heartbeatTimeout = 10min; },
      [](Options& o) { o.timeout = 1ms, o.registrationTimeout = 1ms; },
      [](Options& o) { o.timeout = 24h, o.registrationTimeout = 24h; },
      [](Options& o) { o.group = o.name = std::string(kMaxNameLength, 'x'); },
      [](Options& o) { o.group = o.name = "x"; },
      [](Options& o) { o.group = o.name = "…é ~"; },
  };
  for (const auto& set : legal) {
    Options options;
    set(options);
    const auto error = errorOf([&] { return options.validate(), 0; });
    CAPTURE(error ? error->what() : "");
    CHECK_FALSE(error);
  }
}

TEST_CASE("a group works at the lower ends of its settings, and under the longest names", "[threads]") {
  const ScratchGroup group;
  Options options = group.options(std::string(kMaxNameLength, 'n'));
  options.mailboxBytes = 64 * 1024;
  options.mailboxMessages = 64;
  options.maxMessage = 1;
  options.heartbeatInterval = 10ms;
  options.capacity = 2;
  Communicator first(options);
  Communicator second(group.options("x"));
  REQUIRE(second.sendTo("x", 0));
  CHECK(first.receive()->text() == "x");
  CHECK(second.view().members[0].name.view() == options.name);
}

TEST_CASE("defaults: a process is called p and its number, and is a group of one") {
  CHECK(Options::defaultName() == "p" + std::to_string(getpid()));
  const Options options;
  CHECK(options.group == "default");
  CHECK(options.name == Options::defaultName());
  CHECK(options.expected == 1);
  CHECK(options.heartbeatInterval == 500ms);  // specification
  CHECK(options.heartbeatTimeout == 2s);      // specification
}

TEST_CASE("every option can come from the environment (issue 2, section 2)") {
  std::list<ScopedVariable> variables;
  const auto set = [&](const char* name, const char* value) { variables.emplace_back(name, value); };
  set("RONDE_GROUP", "g");
  set("RONDE_NAME", "n");
  set("RONDE_EXPECTED", "3");
  set("RONDE_CAPACITY", "20");
  set("RONDE_MAILBOX_BYTES", "100000");
  set("RONDE_MAILBOX_MESSAGES", "128");
  set("RONDE_MAX_MESSAGE", "5000");
  set("RONDE_HEARTBEAT_INTERVAL_MS", "20");
  set("RONDE_HEARTBEAT_TIMEOUT_MS", "90");
  set("RONDE_ON_SILENT", "wait");
  set("RONDE_WAITING", "block");
  set("RONDE_ON_FULL", "drop");
  set("RONDE_TIMEOUT_MS", "1234");
  set("RONDE_REGISTRATION_TIMEOUT_MS", "4321");
  const Options options = Options::fromEnvironment();
  CHECK(options.group == "g");
  CHECK(options.name == "n");
  CHECK(options.expected == 3);
  CHECK(options.capacity == 20);
  CHECK(options.mailboxBytes == 100'000);
  CHECK(options.mailboxMessages == 128);
  CHECK(options.maxMessage == 5000);
  CHECK(options.heartbeatInterval == 20ms);
  CHECK(options.heartbeatTimeout == 90ms);
  CHECK(options.onSilent == SilencePolicy::wait);
  CHECK(options.waiting == WaitMode::block);
  CHECK(options.onFull == FullPolicy::drop);
  CHECK(options.timeout == 1234ms);
  CHECK(options.registrationTimeout == 4321ms);
}

TEST_CASE("what is not set in the environment keeps its default") {
  const Options options = Options::fromEnvironment();
  CHECK(options.group == Options().group);
  CHECK(options.expected == Options().expected);
  CHECK(options.onFull == FullPolicy::block);
}

TEST_CASE("an illegal variable is refused by an error that names it, its value and what is legal (Options)") {
  struct Case {
    std::string variable, value, legal;
  };
  const std::vector<Case> cases = {
      {"RONDE_EXPECTED", "three", "whole number"},
      {"RONDE_EXPECTED", "", "whole number"},
      {"RONDE_EXPECTED", "3 ", "whole number"},
      {"RONDE_EXPECTED", "99999999999999999999", "whole number"},
      {"RONDE_EXPECTED", "0", "1 to 512"},
      {"RONDE_CAPACITY", "513", "1 to 512"},
      {"RONDE_MAILBOX_BYTES", "-1", "whole number"},
      {"RONDE_MAILBOX_BYTES", "1", "65536 to 1073741824"},
      {"RONDE_MAILBOX_MESSAGES", "65", "power of two"},
      {"RONDE_MAX_MESSAGE", "0", "1 to 268435456"},
      {"RONDE_HEARTBEAT_INTERVAL_MS", "1", "10 ms to 60000 ms"},
      {"RONDE_HEARTBEAT_TIMEOUT_MS", "7", "1500 ms to 600000 ms"},
      {"RONDE_ON_SILENT", "kill", "evict, wait"},
      {"RONDE_WAITING", "", "adaptive, busy, block"},
      {"RONDE_ON_FULL", "Block", "block, fail, drop"},
      {"RONDE_TIMEOUT_MS", "0", "1 ms to 86400000 ms"},
      {"RONDE_REGISTRATION_TIMEOUT_MS", "5s", "whole number"},
      {"RONDE_GROUP", "a/b", "1 to 31 bytes"},
      {"RONDE_NAME", "", "1 to 31 bytes"},
  };
  for (const auto& [variable, value, legal] : cases) {
    const ScopedVariable set(variable, value);
    const auto error = errorOf([] { return Options::fromEnvironment(); });
    CAPTURE(variable, value);
    REQUIRE(error);
    CHECK(error->errc() == Errc::invalidOption);
    CAPTURE(error->what());
    CHECK(mentions(error->what(), {variable, value, legal}));
  }
}
