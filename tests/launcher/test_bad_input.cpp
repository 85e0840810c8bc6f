#include "launcher_run.hpp"
#include "tests/support/catch.hpp"

// Every refusal says what is wrong and what to do, and starts nothing.
using namespace ronde::testing;

namespace {

struct Refusal {
  Arguments arguments;
  int exitCode;
  const char* says;
};

}  // namespace

TEST_CASE("A bad command line is refused with a reason", "[launcher]") {
  const std::string tooLong(32, 'x');
  const auto [arguments, exitCode, says] = GENERATE_COPY(
      Refusal{{"--unknown"}, 2, "--unknown"}, Refusal{{"-n", "0"}, 2, "1 to 512"},
      Refusal{{"-n", "513"}, 2, "1 to 512"}, Refusal{{"-n", "many"}, 2, "many"},
      Refusal{{"-n", "1"}, 2, "at least 2"}, Refusal{{"--scenario", "nothing"}, 2, "there are:\n  demo"},
      Refusal{{"--group", "a/b"}, 2, "without '/'"}, Refusal{{"--group", ""}, 2, "1 to 31 bytes"},
      Refusal{{"--group", tooLong}, 2, "1 to 31 bytes"}, Refusal{{"--group", ".."}, 2, "not '.' or '..'"},
      Refusal{{"--lang", "de"}, 2, "de"}, Refusal{{"--arrival", "never"}, 2, "never"},
      Refusal{{"--pace", "-1"}, 2, "--pace"}, Refusal{{"--timeout", "-3"}, 2, "--timeout"},
      Refusal{{"--heartbeat-interval", "1"}, 2, "10 ms to 60000 ms"},
      Refusal{{"--heartbeat-interval", "500", "--heartbeat-timeout", "600"}, 2, "1500 ms to"},
      Refusal{{"./program"}, 2, "your own program goes after '--'"}, Refusal{{"--", "true"}, 2, "-n N -- true"},
      Refusal{{"-n", "1", "--"}, 2, "a program is missing"},
      Refusal{{"-n", "1", "--scenario", "demo", "--", "true"}, 2, "exclude each other"},
      Refusal{{"-n", "1", "--", "true", ":"}, 2, "after ':' a program is missing"},
      Refusal{{"-n", "1", "--", "true", ":", "--quiet", "--", "true"}, 2, "expected: -n K -- program args"},
      Refusal{{"-n", "300", "--", "true", ":", "-n", "300", "--", "true"}, 2, "600 processes are too many"},
      Refusal{{"--role", "demo"}, 2, "--role"});
  const Result result = run(arguments);
  CAPTURE(arguments, result.out, result.err);
  CHECK(result.exitCode == exitCode);
  CHECK(result.out.empty());
  CHECK(result.err.find(says) != std::string::npos);
}

TEST_CASE("The options --help and --version answer and end well", "[launcher]") {
  const Result help = run({"--help"});
  CHECK(help.exitCode == 0);
  for (const char* part : {"--scenario", "dice", "--fault", "124", "127", "RONDE_GROUP", "kill P1 @2s"}) {
    CAPTURE(part, help.out);
    CHECK(help.out.find(part) != std::string::npos);
  }
  const Result version = run({"--version"});
  CHECK(version.exitCode == 0);
  CHECK(version.out.starts_with("ronde-launch 0."));
}

TEST_CASE("A program that cannot be executed ends the run, with the reason", "[launcher]") {
  const auto [arguments, exitCode, says] = GENERATE(
      Refusal{{"-n", "2", "--", "/nowhere/program"}, 127, "cannot execute '/nowhere/program': No such file"},
      Refusal{{"-n", "2", "--", "no-such-program-anywhere"}, 127, "or a name found in PATH"},
      Refusal{{"-n", "2", "--", "/etc/passwd"}, 126, "cannot execute '/etc/passwd': Permission denied"},
      Refusal{
          {"-n", "1", "--", "sleep", "1000", ":", "-n", "1", "--arrival", "random", "--", "x"}, 2, "--arrival"});
  const Result result = run(arguments);
  CAPTURE(arguments, result.out, result.err);
  CHECK(result.exitCode == exitCode);
  CHECK(result.err.find(says) != std::string::npos);
}

TEST_CASE("A program of several that cannot be executed stops those that run", "[launcher]") {
  const Result result =
      run({"--arrival", "random", "-n", "1", "--", "sleep", "1000", ":", "-n", "1", "--", "/nowhere"});
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 127);
  CHECK(result.has("P0 ", "SIGTERM"));
}

TEST_CASE("A program that ends before it has joined is named", "[launcher]") {
  const Result result = run({"-n", "2", "--", "true"});
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 1);
  CHECK(result.err.find("P0 (true) ended with 0 before it had registered in group") != std::string::npos);
  CHECK(result.err.find("Options::fromEnvironment()") != std::string::npos);

  const Result failing = run({"-n", "2", "--", "sh", "-c", "exit 5"});
  CHECK(failing.exitCode == 5);
  CHECK(failing.err.find("P0 (sh) ended with 5 before it had registered") != std::string::npos);
}

TEST_CASE("A program that ends before it has joined is noticed while others wait for it", "[launcher]") {
  const Arguments arguments{"-n",           "1", "--group", uniqueGroup(), "--", "sh",  "-c",
                            joinAndLeave(), ":", "-n",      "1",           "--", "true"};
  const Result result = run(arguments);
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 1);
  CHECK(result.err.find("P1 (true) ended with 0 before it had registered") != std::string::npos);
  CHECK_FALSE(hasLeftovers(arguments[3]));
}

TEST_CASE("A latecomer that ends before it has joined is named, and the others run on", "[launcher]") {
  const std::string program = "if [ $RONDE_NAME = late ]; then exit 0; fi; " + joinAndLeave();
  const Result result = run({"-n", "2", "--keep-going", "--fault", "join late @0s", "--", "sh", "-c", program});
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 1);
  CHECK(result.err.find("late (sh) ended with 0 before it had registered") != std::string::npos);
  CHECK(result.lines("[P", "][STOP] arrêt propre : ok").size() == 2);
}

TEST_CASE("A program that never joins is named after the time that it has", "[launcher]") {
  const Result result = run({"-n", "2", "--join-timeout", "0.3", "--", "sleep", "1000"});
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 1);
  CHECK(result.err.find("P0 (sleep) has not registered in group") != std::string::npos);
}

TEST_CASE("A group that is in use is not entered", "[launcher]") {
  const std::string group = uniqueGroup();
  Launcher first({"-n", "2", "--group", group, "--pace", "50"});
  first.read([](const Result& so) { return so.lines("[COM ", "barrière franchie").size() == 2; });
  const Result second = run({"-n", "2", "--group", group, "--pace", "0"});
  CAPTURE(second.out, second.err);
  CHECK(second.exitCode == 1);
  CHECK(second.out.empty());
  CHECK(second.err.find("group '" + group + "' is in use") != std::string::npos);
  first.signal(SIGINT);
  CHECK(first.wait().exitCode == 128 + SIGINT);
}
