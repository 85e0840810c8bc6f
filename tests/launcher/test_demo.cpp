#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "launcher_run.hpp"
#include "tests/support/catch.hpp"

// The specification's validation checklist, on the real output of the demonstration.
using namespace ronde::testing;

namespace {

std::string com(int process, const std::string& tag) {
  return "[COM P" + std::to_string(process) + "][" + tag + "]";
}
std::string name(int process) { return "P" + std::to_string(process); }

std::string allNames(int n) {
  std::string names;
  for (int i = 0; i < n; ++i) names += (i > 0 ? ", " : "") + name(i);
  return names;
}

/// The number behind `key` in `line`.
long numberAfter(const std::string& line, const std::string& key) {
  const auto at = line.rfind(key);
  return at == std::string::npos ? -1 : std::strtol(line.c_str() + at + key.size(), nullptr, 10);
}

/// Everything that process `k` says about the critical section, in order: "REQUEST ENTER EXIT ...".
std::string sectionStory(const Result& result, int k) {
  std::string story;
  for (const std::string& line : result.lines("[COM " + name(k) + "][SC-")) {
    const auto begin = line.find("[SC-") + 4;
    story += (story.empty() ? "" : " ") + line.substr(begin, line.find(']', begin) - begin);
  }
  return story;
}

}  // namespace

TEST_CASE("The demonstration passes the specification's checklist for 2, 3 and 8 processes", "[launcher]") {
  const int n = GENERATE(2, 3, 8);
  const Arguments arguments = fastDemo(n);
  const Result result = run(arguments);
  CAPTURE(n, result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.err.empty());
  CHECK_FALSE(hasLeftovers(arguments[3]));
  const int second = 2 % n;

  for (int k = 0; k < n; ++k) {
    CAPTURE(k);
    // REGISTER
    const auto registered = result.lines(com(k, "REGISTER"));
    REQUIRE(registered.size() == 1);
    CHECK(registered[0] ==
          com(k, "REGISTER") + " ordre d'arrivée=[" + allNames(n) + "] -> mon ID=" + std::to_string(k));
    // Barriers: all nine, and nobody passes more than it came to.
    CHECK(result.lines(com(k, "SYNC"), "j'envoi SYNC").size() == 9);
    CHECK(result.lines(com(k, "SYNC"), "Tous les SYNC reçus, barrière franchie").size() == 9);
    // Heartbeats of all others.
    for (int other = 0; other < n; ++other) {
      if (other == k) continue;
      CHECK(result.has(com(k, "HEARTBEAT"), "heartbeat reçu de " + name(other)));
    }
    // What P1 sent: broadcast to all others, publish to all, sendTo to one.
    CHECK(result.lines(com(k, "RECEIVE"), "] broadcast payload=").size() == (k == 1 ? 0 : 1));
    CHECK(result.lines(com(k, "RECEIVE"), "] publish payload=").size() == 1);
    CHECK(result.lines(com(k, "RECEIVE"), "] sendTo payload=").size() == (k == second ? 1 : 0));
    CHECK(result.lines(com(k, "RECEIVE"), "] broadcastSync payload=").size() == (k == 0 ? 0 : 1));
    CHECK(result.lines(com(k, "RECEIVE"), "] sendToSync payload=").size() == (k == 1 ? 1 : 0));
    CHECK(result.lines(com(k, "STOP"), "arrêt propre").size() == 1);
  }

  CHECK(result.has(com(1, "SEND"), "broadcast payload="));
  CHECK(result.has(com(1, "SEND"), "sendTo payload="));
  CHECK(result.has(com(1, "SEND"), "publish payload="));

  // broadcastSync: an ACK of everybody else, then the summary.
  const auto acks = result.lines(com(0, "SYNC-BROADCAST"));
  REQUIRE(acks.size() == static_cast<std::size_t>(n));
  for (int other = 1; other < n; ++other) {
    CHECK(result.lines(com(0, "SYNC-BROADCAST"), "ACK reçu de " + name(other)).size() == 1);
  }
  CHECK(acks.back() == com(0, "SYNC-BROADCAST") + " Tous les ACK reçus");

  // sendToSync / receiveFromSync
  CHECK(result.has(com(1, "RECEIVE"), "sendToSync payload=rendez-vous de P0"));
  CHECK(result.has(com(0, "SYNC-SEND"), "ACK reçu de P1"));

  // Critical section: the token's start by the last one, then P1, then the second.
  for (int k = 0; k < n; ++k) {
    std::string expected;
    for (const int entering : {n - 1, 1, second}) {
      if (entering == k) expected += (expected.empty() ? "" : " ") + std::string("REQUEST ENTER EXIT");
    }
    CHECK(sectionStory(result, k) == expected);
  }
  const auto entered = [&](int k) { return numberAfter(result.lines(com(k, "SC-ENTER")).back(), "fence="); };
  CHECK(entered(1) == 2);
  CHECK(entered(second) == 3);
  CHECK(result.has("[COM ", "][TOKEN] Token reçu de P"));
}

TEST_CASE("Every clock in the demonstration follows Lamport's rules (Lamport 1978, IR1 and IR2)", "[launcher]") {
  const Result result = run(fastDemo(5));
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  std::size_t steps = 0;
  for (int k = 0; k < 5; ++k) {
    long local = 0;
    for (const std::string& line : result.lines("[COM " + name(k) + "]")) {
      CAPTURE(line, local);
      if (line.starts_with(com(k, "SEND"))) {
        CHECK(numberAfter(line, " clock=") == local + 1);
        ++local;
        ++steps;
      } else if (line.starts_with(com(k, "RECEIVE"))) {
        CHECK(numberAfter(line, "-> local=") == std::max(local, numberAfter(line, " clock=")) + 1);
        local = numberAfter(line, "-> local=");
        ++steps;
      }
    }
  }
  CHECK(steps ==
        5 + 4 + 5 + 1 + 4 + 1);  // sends; then receipts of broadcast, publish, sendTo and the two synchronous
}

TEST_CASE("With pauses the token is seen to come from the last process", "[launcher]") {
  const Result result =
      run({"-n", "3", "--pace", "0.2", "--heartbeat-interval", "50", "--heartbeat-timeout", "2000"});
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.has("[COM P0][TOKEN]", "Token reçu de P2 -> waiting=False"));
}

TEST_CASE("The English lines tell the same events", "[launcher]") {
  const Result french = run(fastDemo(3));
  const Result english = run(fastDemo(3, {"--lang", "en"}));
  CAPTURE(english.out, english.err);
  REQUIRE(english.exitCode == 0);
  CHECK(english.has("[COM P2][REGISTER] arrival order=[P0, P1, P2] -> my ID=2"));
  CHECK(english.has("[COM P0][SYNC] All SYNC received, barrier passed"));
  CHECK(english.has("[COM P0][SYNC-BROADCAST] ACK received from P2"));
  CHECK(english.has("[COM P0][SYNC-BROADCAST] All ACK received"));
  CHECK(english.has("[COM P1][RECEIVE] sendToSync payload=rendezvous from P0 clock="));
  CHECK(english.has("[COM P0][HEARTBEAT] heartbeat received from P1"));
  CHECK(english.has("[COM P1][STOP] clean stop: ok"));
  for (const char* tag :
       {"SEND", "RECEIVE", "SYNC", "SYNC-BROADCAST", "SYNC-SEND", "SC-REQUEST", "SC-ENTER", "SC-EXIT"}) {
    CAPTURE(tag);
    const std::string part = std::string("][") + tag + "]";
    CHECK(french.lines("[COM ", part).size() == english.lines("[COM ", part).size());
  }
}

TEST_CASE("With --json there is one object per line, and the events prove barrier and exclusion", "[launcher]") {
  const int n = 4;
  const Result result = run(fastDemo(n, {"--json"}));
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.err.empty());

  std::map<std::string, std::vector<double>> syncEnter;
  std::map<std::string, std::vector<double>> syncPassed;
  std::vector<std::pair<double, double>> stays;  // in the critical section
  std::map<std::string, double> entered;
  std::map<std::string, int> count;
  for (const std::string& line : result.lines()) {
    CAPTURE(line);
    const auto event = nlohmann::json::parse(line);  // throws on anything else
    const std::string process = event.at("process");
    const std::string type = event.at("event");
    const double t = event.at("t");
    ++count[type];
    if (type == "syncEnter") syncEnter[process].push_back(t);
    if (type == "syncPassed") syncPassed[process].push_back(t);
    if (type == "sectionEnter") entered[process] = t;
    if (type == "sectionExit") stays.emplace_back(entered.at(process), t);
    if (type == "receive") CHECK(event.at("clock") > event.at("stamp"));
    if (type == "registered") CHECK(event.at("order").size() == n);
  }
  CHECK(count["registered"] == n);
  CHECK(count["start"] == n);
  CHECK(count["exit"] == n);
  CHECK(count["complete"] == 1);
  CHECK(count["end"] == 1);

  // Nobody passes a barrier before the last has come to it.
  for (std::size_t round = 0; round < 9; ++round) {
    double lastCame = 0;
    double firstPassed = 1e9;
    for (int k = 0; k < n; ++k) {
      lastCame = std::max(lastCame, syncEnter.at(name(k)).at(round));
      firstPassed = std::min(firstPassed, syncPassed.at(name(k)).at(round));
    }
    CAPTURE(round, lastCame, firstPassed);
    CHECK(lastCame <= firstPassed);
  }
  REQUIRE(stays.size() == 3);
  std::sort(stays.begin(), stays.end());
  for (std::size_t i = 1; i < stays.size(); ++i) CHECK(stays[i - 1].second <= stays[i].first);
}

TEST_CASE("64 processes run the demonstration without pauses", "[launcher]") {
  const Arguments arguments{"-n", "64", "--pace", "0", "--group", uniqueGroup()};
  const Result result = run(arguments);
  CAPTURE(result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.lines("[COM ", "][REGISTER]").size() == 64);
  CHECK(result.has("[COM P0][SYNC-BROADCAST] ACK reçu de P63"));
  CHECK(result.lines("[COM ", "[STOP] arrêt propre").size() == 64);
  CHECK_FALSE(hasLeftovers(arguments[5]));
}

TEST_CASE("With --arrival random all have different ids, whoever came first", "[launcher]") {
  const Result result = run(fastDemo(6, {"--arrival", "random"}));
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  for (int id = 0; id < 6; ++id) {
    CHECK(result.lines("[COM ", "] -> mon ID=" + std::to_string(id)).size() == 1);
  }
}
