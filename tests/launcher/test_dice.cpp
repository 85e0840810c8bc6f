#include <cstdlib>
#include <map>

#include "launcher_run.hpp"
#include "tests/support/catch.hpp"

using namespace ronde::testing;

namespace {

Arguments dice(int n, const Arguments& more = {}) {
  return Arguments{"-n", std::to_string(n), "--group", uniqueGroup(), "--scenario", "dice", "--pace", "0"} + more;
}

/// The one line that names the winner; fails the test unless there is exactly one.
std::string winnerLine(const Result& result) {
  const auto winners = result.lines("[COM ", "][DICE] vainqueur : ");
  REQUIRE(winners.size() == 1);
  return winners[0];
}

}  // namespace

TEST_CASE("A game of dice has exactly one winner, who has the points", "[launcher]") {
  const int n = GENERATE(2, 4, 8);
  const Arguments arguments = dice(n, {"--seed", "11"});
  const Result result = run(arguments);
  CAPTURE(n, result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK_FALSE(hasLeftovers(arguments[3]));

  // "[COM P2][DICE] vainqueur : P2 avec 21 points"
  const std::string winner = winnerLine(result);
  const std::string who = winner.substr(5, winner.find(']') - 5);
  CHECK(winner.find("vainqueur : " + who + " avec ") != std::string::npos);
  const int points = std::atoi(winner.c_str() + winner.find(" avec ") + 6);
  CHECK(points >= 20);

  std::map<std::string, int> totals;
  for (int k = 0; k < n; ++k) {
    const std::string name = "P" + std::to_string(k);
    bool inside = false;
    for (const std::string& line : result.lines("[COM " + name + "]")) {
      if (line.find("][SC-ENTER]") != std::string::npos) inside = true;
      if (line.find("][SC-EXIT]") != std::string::npos) inside = false;
      const auto thrown = line.find("je lance ");
      if (thrown == std::string::npos) continue;
      CAPTURE(line);
      CHECK(inside);  // in turn, and inside the critical section
      const int die = std::atoi(line.c_str() + thrown + 9);
      CHECK((die >= 1 && die <= 6));
      totals[name] += die;
      CHECK(line.find("total " + std::to_string(totals[name])) != std::string::npos);
    }
    CHECK((name == who ? totals[name] == points : totals[name] < 20));
    CHECK(result.lines("[COM " + name + "][STOP]", "arrêt propre").size() == 1);
  }
  // The winner told everybody, and everybody took it.
  CHECK(result.lines("[COM " + who + "][SYNC-BROADCAST]", "Tous les ACK reçus").size() >= 1);
  CHECK(result.lines("[COM ", "][RECEIVE] broadcastSync payload=gagné").size() == static_cast<std::size_t>(n - 1));
  CHECK(result.has("[COM P1][RECEIVE]", "sendToSync payload=ping de P0"));
}

TEST_CASE("The same seed gives the same game of dice", "[launcher]") {
  const auto throws = [](const std::string& seed) {
    const Result result = run(dice(4, {"--seed", seed}));
    REQUIRE(result.exitCode == 0);
    std::string all = winnerLine(result);
    for (int k = 0; k < 4; ++k) {
      for (const std::string& line : result.lines("[COM P" + std::to_string(k) + "][DICE] tour"))
        all += "\n" + line;
    }
    return all;
  };
  CHECK(throws("5") == throws("5"));
  CHECK(throws("5") != throws("6"));
}

TEST_CASE("A game of dice goes on without a player that is killed, and still has one winner", "[launcher]") {
  const Result result = run(dice(4, {"--seed", "3", "--keep-going", "--fault", "kill P2 @0s"}));
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(winnerLine(result).find("vainqueur : P2") == std::string::npos);
}
