#include "launcher_run.hpp"
#include "tests/support/catch.hpp"

using namespace ronde::testing;

namespace {

/// A demonstration whose pauses are chosen by the launcher so that the script fits in.
Arguments withFaults(int n, const std::string& script, const Arguments& more = {}) {
  return Arguments{"-n",   std::to_string(n),      "--group", uniqueGroup(),         "--fault",
                   script, "--heartbeat-interval", "30",      "--heartbeat-timeout", "300"} +
         more;
}

std::string com(const std::string& process, const std::string& tag) {
  return "[COM " + process + "][" + tag + "]";
}

/// The script's error for `script`, with exit code 2 checked.
std::string scriptError(const std::string& script) {
  const Result result = run({"-n", "3", "--fault", script});
  CAPTURE(script, result.out, result.err);
  CHECK(result.exitCode == 2);
  CHECK(result.out.empty());
  return result.err;
}

}  // namespace

TEST_CASE("After a kill every survivor shows the new view with renumbered ids, and all ends well", "[launcher]") {
  const Arguments arguments = withFaults(5, "kill P1 @200ms", {"--keep-going", "--pace", "0.2"});
  const Result result = run(arguments);
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.has("[launch][FAULT] kill P1"));
  int id = 0;
  for (const char* survivor : {"P0", "P2", "P3", "P4"}) {
    CAPTURE(survivor);
    CHECK(result.has(com(survivor, "VIEW"),
                     "P0=0, P2=1, P3=2, P4=3 -> mon ID=" + std::to_string(id++) + " ; partis : P1 (mort)"));
    CHECK(result.has(com(survivor, "STOP"), "arrêt propre : ok"));
  }
  // The roles go by the new ids: P2 is number 1 now.
  CHECK(result.has(com("P2", "SEND"), "broadcast payload="));
  CHECK(result.has(com("P2", "RECEIVE"), "sendToSync payload=rendez-vous de P0"));
  CHECK(result.has("P1 ", "SIGKILL"));
  CHECK_FALSE(hasLeftovers(arguments[3]));
}

TEST_CASE("Without --keep-going a kill by the script fails the run", "[launcher]") {
  const Arguments arguments = withFaults(3, "kill P1 @0s");
  const Result result = run(arguments);
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 128 + SIGKILL);
  CHECK(result.err.find("P1 ended with SIGKILL, stopping the others") != std::string::npos);
  CHECK_FALSE(hasLeftovers(arguments[3]));
}

TEST_CASE("A process stopped for too long is excluded, and comes back when it is continued", "[launcher]") {
  const Arguments arguments = withFaults(4, "stop P2 @200ms; cont P2 @1500ms", {"--keep-going", "--pace", "0.5"});
  const Result result = run(arguments);
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  for (const char* other : {"P0", "P1", "P3"}) {
    CAPTURE(other);
    CHECK(result.has(com(other, "VIEW"), "P0=0, P1=1, P3=2 -> mon ID="));
    CHECK(result.has(com(other, "VIEW"), "partis : P2 (muet)"));
    CHECK(result.has(com(other, "VIEW"), "arrivés : P2"));
  }
  const auto registrations = result.lines(com("P2", "REGISTER"));
  REQUIRE(registrations.size() == 2);
  CHECK(registrations[1].find("[P0, P1, P3, P2] -> mon ID=3") != std::string::npos);
  CHECK(result.has(com("P2", "RECEIVE"), "bienvenue"));
  CHECK(result.has(com("P2", "STOP"), "arrêt propre : ok"));
}

TEST_CASE("A process that the script stops for ever does not hang the run", "[launcher]") {
  const Result result = run(withFaults(3, "stop P0 @0s", {"--keep-going", "--pace", "0"}));
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 0);
  CHECK(result.has("[launch][FAULT] P0", "est seul et suspendu"));
  CHECK(result.has(com("P1", "STOP"), "arrêt propre : ok"));
}

TEST_CASE("A latecomer is appended to the view, told the step, and takes part", "[launcher]") {
  const Result result = run(withFaults(3, "join P3 @200ms", {"--keep-going", "--pace", "0.2"}));
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.lines(com("P3", "REGISTER"), "[P0, P1, P2, P3] -> mon ID=3").size() == 1);
  for (const char* founder : {"P0", "P1", "P2"}) CHECK(result.has(com(founder, "VIEW"), "arrivés : P3"));
  CHECK(result.has(com("P3", "RECEIVE"), "bienvenue"));
  CHECK(result.has(com("P3", "SYNC"), "barrière franchie"));
  CHECK(result.has(com("P0", "SYNC-BROADCAST"), "ACK reçu de P3"));
  CHECK(result.has(com("P3", "STOP"), "arrêt propre : ok"));
}

TEST_CASE("A killed process's name can join again", "[launcher]") {
  const Result result = run(withFaults(3, "kill P1 @200ms; join P1 @400ms", {"--keep-going", "--pace", "0.2"}));
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.lines(com("P1", "REGISTER")).size() == 2);
  CHECK(result.has(com("P0", "VIEW"), "P0=0, P2=1, P1=2"));
}

TEST_CASE("All faults together end cleanly", "[launcher]") {
  const Arguments arguments =
      withFaults(5, "kill P0 @100ms; stop P1 @150ms; join P5 @200ms; kill P2 @210ms; cont P1 @1500ms",
                 {"--keep-going", "--pace", "0.5"});
  const Result result = run(arguments);
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  for (const char* one : {"P1", "P3", "P4", "P5"}) CHECK(result.has(com(one, "STOP"), "arrêt propre : ok"));
  CHECK_FALSE(hasLeftovers(arguments[3]));
}

TEST_CASE("When every member is killed the launcher still leaves nothing behind", "[launcher]") {
  const Arguments arguments = withFaults(2, "kill P0 @100ms; kill P1 @100ms", {"--keep-going"});
  const Result result = run(arguments);
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 0);
  CHECK(result.has("P0 ", "SIGKILL"));
  CHECK(result.has("P1 ", "SIGKILL"));
  CHECK_FALSE(hasLeftovers(arguments[3]));
}

TEST_CASE("Faults that come after the end are reported, not waited for", "[launcher]") {
  const Result result = run(fastDemo(2, {"--fault", "kill P1 @1000s"}));
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 0);
  CHECK(result.has("[launch][FAULT] kill P1 @1000s : tout était déjà fini"));
}

TEST_CASE("A bad fault script is refused with its place and the grammar", "[launcher]") {
  struct Case {
    const char* script;
    const char* complaint;
    std::size_t column;
  };
  const auto [script, complaint, column] = GENERATE(
      Case{"explode P1 @2s", "unknown action 'explode'", 0}, Case{"kill P1", "the time is missing", 7},
      Case{"kill", "the name of a process is missing", 4}, Case{"kill P1 2s", "the time begins with '@'", 8},
      Case{"kill P1 @soon", "'@soon' is not a time", 8}, Case{"kill P1 @2h", "'@2h' is not a time", 8},
      Case{"kill P1 @-1s", "is not a time", 8}, Case{"kill P1 @99999999s", "later than a day", 8},
      Case{"kill P1 @2s stop P2 @3s", "a ';' is missing", 12}, Case{"kill P9 @2s", "there is no process 'P9'", 5},
      Case{"join P2 @1s", "'P2' runs already", 5}, Case{"cont P1 @1s", "'P1' is not stopped", 0},
      Case{"kill P1 @1s; stop P1 @2s", "'P1' was killed before", 18}, Case{"join a/b @1s", "without '/'", 5},
      Case{"", "the script is empty", 0});
  const std::string error = scriptError(script);
  CAPTURE(script, error);
  CHECK(error.find(complaint) != std::string::npos);
  CHECK(error.find("\n  " + std::string(column, ' ') + "^\n") != std::string::npos);
  CHECK(error.find("expected: ACTION NAME @TIME") != std::string::npos);
}
