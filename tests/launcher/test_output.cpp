#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "launcher_run.hpp"
#include "tests/support/catch.hpp"

using namespace ronde::testing;

namespace {

/// Writes `lines` lines of `length` times its own digit ("P3" writes 3s) to both outputs, then joins the group.
std::string longLines(int lines, int length) {
  const std::string line = "head -c " + std::to_string(length) + " /dev/zero | tr '\\0' ${RONDE_NAME#P}; echo";
  return "i=0; while [ $i -lt " + std::to_string(lines) + " ]; do (" + line + "); (" + line +
         ") >&2; i=$((i+1)); done; " + joinAndLeave() + " >/dev/null";
}

}  // namespace

TEST_CASE("Long lines of several processes never mix, not even when both outputs are one", "[launcher]") {
  const bool merged = GENERATE(false, true);
  constexpr int kLines = 10;
  constexpr std::size_t kLength = 200'000;  // a pipe takes 65536 bytes at once
  const Result result = run({"-n", "4", "--arrival", "random", "--group", uniqueGroup(), "--quiet", "--", "sh",
                             "-c", longLines(kLines, static_cast<int>(kLength))},
                            merged);
  REQUIRE(result.exitCode == 0);
  Result all;
  all.out = result.out + result.err;
  std::array<int, 4> count{};
  for (const std::string& line : all.lines()) {
    REQUIRE(line.size() == 5 + kLength);
    const char digit = line[2];
    REQUIRE((digit >= '0' && digit <= '3'));
    REQUIRE(line.substr(0, 5) == std::string("[P") + digit + "] ");
    REQUIRE(line.find_first_not_of(digit, 5) == std::string::npos);
    ++count[static_cast<std::size_t>(digit - '0')];
  }
  for (const int lines : count) CHECK(lines == 2 * kLines);
}

TEST_CASE("An unterminated last line comes out as a line", "[launcher]") {
  const Result result =
      run({"-n", "2", "--quiet", "--", "sh", "-c", joinAndLeave() + " >/dev/null; printf unfinished"});
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.lines().size() == 2);
  CHECK(result.lines("[P0] unfinished").size() == 1);
  CHECK(result.lines("[P1] unfinished").size() == 1);
}

TEST_CASE("Standard error goes to standard error, with the process's name", "[launcher]") {
  const Result result =
      run({"-n", "2", "--quiet", "--", "sh", "-c", "echo oops >&2; " + joinAndLeave() + " >/dev/null"});
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.out.empty());
  CHECK(result.err.find("[P0] oops\n") != std::string::npos);
  CHECK(result.err.find("[P1] oops\n") != std::string::npos);
}

TEST_CASE("In a pipe there are no colours", "[launcher]") {
  const Result result = run(fastDemo(2));
  REQUIRE(result.exitCode == 0);
  CHECK(result.out.find('\033') == std::string::npos);
}

TEST_CASE("The closing table tells pid, end, run time and messages of each process", "[launcher]") {
  const Result result = run(fastDemo(3, {"--lang", "en"}));
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  const auto lines = result.lines();
  REQUIRE(lines.size() > 4);
  std::istringstream heading(lines[lines.size() - 4]);
  std::string word;
  heading >> word;
  CHECK(word == "process");
  // P1 sends broadcast (2), sendTo (1) and publish (3); P0 broadcastSync (2) and sendToSync (1).
  const std::array<std::pair<int, int>, 3> expected{std::pair{3, 2}, std::pair{6, 3}, std::pair{0, 4}};
  for (std::size_t k = 0; k < 3; ++k) {
    std::istringstream row(lines[lines.size() - 3 + k]);
    std::string name;
    std::string end;
    std::string unit;
    int pid = 0;
    double time = 0;
    int sent = -1;
    int received = -1;
    row >> name >> pid >> end >> time >> unit >> sent >> received;
    CAPTURE(lines[lines.size() - 3 + k]);
    CHECK(name == "P" + std::to_string(k));
    CHECK(pid > 0);
    CHECK(end == "0");
    CHECK(unit == "s");
    CHECK(sent == expected[k].first);
    CHECK(received == expected[k].second);
  }
}

TEST_CASE("The option --quiet leaves only what the processes write", "[launcher]") {
  const Result result = run(fastDemo(2, {"--quiet", "--fault", "kill P1 @1000s"}));
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.err.empty());
  for (const std::string& line : result.lines()) CHECK(line.starts_with("[COM P"));
}

TEST_CASE("The option --output-dir also writes a file per process", "[launcher]") {
  const auto folder = std::filesystem::temp_directory_path() / ("ronde-" + uniqueGroup()) / "logs";
  const Result result = run(fastDemo(2, {"--output-dir", folder.string()}));
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  for (const std::string name : {"P0", "P1"}) {
    std::ifstream file(folder / (name + ".log"));
    Result log;
    log.out.assign(std::istreambuf_iterator<char>(file), {});
    CHECK(log.lines() == result.lines("[COM " + name + "]"));
  }
  std::filesystem::remove_all(folder.parent_path());
}

TEST_CASE("With --json the output of a user's program becomes events, whatever its bytes are", "[launcher]") {
  const Result result =
      run({"-n", "1", "--json", "--", "sh", "-c", "printf 'a\\377b\"c\\n'; " + joinAndLeave() + " >/dev/null"});
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  bool found = false;
  for (const std::string& line : result.lines()) {
    const auto event = nlohmann::json::parse(line);
    if (event.at("event") != "output") continue;
    found = true;
    CHECK(event.at("process") == "P0");
    CHECK(event.at("stream") == "stdout");
    CHECK(event.at("text") ==
          "a\xef\xbf\xbd"
          "b\"c");
  }
  CHECK(found);
}

TEST_CASE("Several programs form one group", "[launcher]") {
  const Result result = run({"-n", "2", "--", "sh", "-c", "echo first; " + joinAndLeave(), ":", "-n", "1", "--",
                             "sh", "-c", "echo second $RONDE_NAME of $RONDE_EXPECTED; " + joinAndLeave()});
  CAPTURE(result.out, result.err);
  REQUIRE(result.exitCode == 0);
  CHECK(result.has("[P0] first"));
  CHECK(result.has("[P1] first"));
  CHECK(result.has("[P2] second P2 of 3"));
  CHECK(result.has("[P2] [COM P2][REGISTER]", "[P0, P1, P2] -> mon ID=2"));
}
