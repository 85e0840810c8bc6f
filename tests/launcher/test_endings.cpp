#include <filesystem>
#include <fstream>
#include <thread>

#include "launcher_run.hpp"
#include "tests/support/catch.hpp"

// Exit codes, signals, and what is left behind.
using namespace ronde::testing;

namespace {

Arguments shell(int n, const std::string& script, const Arguments& options = {}) {
  return Arguments{"-n", std::to_string(n), "--group", uniqueGroup()} + options +
         Arguments{"--", "sh", "-c", script};
}

std::string joined() { return joinAndLeave() + " >/dev/null; "; }

/// The process ids that follow `mark` in `text`, one after each.
std::vector<pid_t> pidsAfter(const std::string& text, const std::string& mark) {
  std::vector<pid_t> pids;
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    pids.push_back(static_cast<pid_t>(std::atoi(text.c_str() + at + mark.size())));
  }
  return pids;
}

/// The kernel's letter for the state of `pid`; 0 if it is gone.
char stateOf(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  std::getline(file, stat);
  const auto end = stat.rfind(')');
  return end == std::string::npos ? '\0' : stat.at(end + 2);
}

bool isGone(pid_t pid) { return stateOf(pid) == '\0' || stateOf(pid) == 'Z'; }

/// Reaps what a killed launcher left to us until `pids` are all gone. The watchdog is ctest's.
void awaitGone(const std::vector<pid_t>& pids) {
  for (const pid_t pid : pids) {
    while (!isGone(pid)) {
      while (waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      sched_yield();
    }
  }
}

}  // namespace

TEST_CASE("The exit code is that of the first process that failed", "[launcher]") {
  const Result result = run({"-n", "2", "--", "sh", "-c", joined() + "sleep 100", ":", "-n", "1", "--", "sh", "-c",
                             joined() + "exit 7"});
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 7);
  CHECK(result.err.find("P2 (sh) ended with 7, stopping the others") != std::string::npos);
  CHECK(result.has("P2 ", " 7 "));
  CHECK(result.has("P0 ", "SIGTERM"));
}

TEST_CASE("A process ended by a signal gives 128 + signal", "[launcher]") {
  const Result result = run(shell(1, joined() + "kill -SEGV $$"));
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 128 + SIGSEGV);
  CHECK(result.has("P0 ", "SIGSEGV"));
}

TEST_CASE("With --keep-going the others run on, and the first failure still counts", "[launcher]") {
  const auto file = std::filesystem::temp_directory_path() / ("ronde-" + uniqueGroup());
  // The second waits until the first is reaped, and then gives a wrong launcher time to stop it.
  const std::string first = "echo $$ > '" + file.string() + "'; " + joined() + "exit 3";
  const std::string second = joined() + "while kill -0 $(cat '" + file.string() +
                             "') 2>/dev/null; do sleep 0.01; done; sleep 0.2; echo survived";
  const Arguments programs{"--", "sh", "-c", first, ":", "-n", "1", "--", "sh", "-c", second};
  const Result keeping = run(Arguments{"-n", "1", "--keep-going"} + programs);
  CAPTURE(keeping.out, keeping.err);
  CHECK(keeping.exitCode == 3);
  CHECK(keeping.has("[P1] survived"));
  const Result stopping = run(Arguments{"-n", "1"} + programs);
  CAPTURE(stopping.out, stopping.err);
  CHECK(stopping.exitCode == 3);
  CHECK_FALSE(stopping.has("[P1] survived"));
  std::filesystem::remove(file);
}

TEST_CASE("The time limit ends everything with 124", "[launcher]") {
  const Arguments arguments = shell(2, joined() + "echo pid=$$; sleep 1000", {"--timeout", "1"});
  const Result result = run(arguments);
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 124);
  CHECK(result.err.find("the time limit of 1000 ms is over") != std::string::npos);
  for (const pid_t pid : pidsAfter(result.out, "pid=")) CHECK(isGone(pid));
  CHECK_FALSE(hasLeftovers(arguments[3]));
}

TEST_CASE("SIGINT and SIGTERM reach all processes, which leave their group cleanly", "[launcher]") {
  const int signal = GENERATE(SIGINT, SIGTERM);
  const Arguments arguments{"-n", "3", "--group", uniqueGroup(), "--pace", "50"};
  Launcher launcher(arguments);
  launcher.read([](const Result& so) { return so.lines("[COM ", "barrière franchie").size() == 3; });
  launcher.signal(signal);
  const Result& result = launcher.wait();
  CAPTURE(signal, result.out, result.err);
  CHECK(result.exitCode == 128 + signal);
  CHECK(result.lines("[COM ", "][STOP] arrêt propre : ok").size() == 3);
  CHECK_FALSE(hasLeftovers(arguments[3]));
}

TEST_CASE("Who does not end when asked is killed after the grace time", "[launcher]") {
  Launcher launcher(
      shell(1, "trap '' TERM; " + joined() + "echo ready; while :; do sleep 0.1; done", {"--grace", "0.3"}));
  launcher.read([](const Result& so) { return so.has("[P0] ready"); });
  launcher.signal(SIGTERM);
  const Result& result = launcher.wait();
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 128 + SIGTERM);
  CHECK(result.has("P0 ", "SIGKILL"));
}

TEST_CASE("A second Ctrl-C kills at once", "[launcher]") {
  Launcher launcher(shell(1, "trap 'echo asked' INT; " + joined() + "echo ready; while :; do sleep 0.1; done",
                          {"--grace", "1000"}));
  launcher.read([](const Result& so) { return so.has("[P0] ready"); });
  launcher.signal(SIGINT);
  launcher.read([](const Result& so) { return so.has("[P0] asked"); });
  launcher.signal(SIGINT);
  const Result& result = launcher.wait();
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 128 + SIGINT);
  CHECK(result.has("P0 ", "SIGKILL"));
}

TEST_CASE("Ctrl-Z stops the processes too, and nobody is excluded for it", "[launcher]") {
  Launcher launcher({"-n", "3", "--group", uniqueGroup(), "--pace", "0.4", "--json", "--heartbeat-interval", "30",
                     "--heartbeat-timeout", "200"});
  launcher.read([](const Result& so) { return so.out.find("\"complete\"") != std::string::npos; });
  const auto pids = pidsAfter(launcher.read([](const Result&) { return true; }).out, "\"pid\":");
  REQUIRE(pids.size() == 3);
  launcher.signal(SIGTSTP);
  for (const pid_t pid : pids) {
    while (stateOf(pid) != 'T') sched_yield();
  }
  while (stateOf(launcher.pid()) != 'T') sched_yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(400));  // twice the limit of silence
  launcher.signal(SIGCONT);
  const Result& result = launcher.wait();
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 0);
  CHECK(result.out.find("\"silent\"") == std::string::npos);
}

TEST_CASE("A launcher that is killed leaves no process, and after a new run no segment", "[launcher]") {
  const Arguments arguments{"-n", "3", "--group", uniqueGroup(), "--pace", "50", "--json"};
  std::vector<pid_t> pids;
  {
    Launcher launcher(arguments);
    launcher.read([](const Result& so) { return so.out.find("\"complete\"") != std::string::npos; });
    launcher.signal(SIGKILL);
    pids = pidsAfter(launcher.wait().out, "\"pid\":");
  }
  REQUIRE(pids.size() == 3);
  awaitGone(pids);
  const Arguments next = fastDemo(2);
  CHECK(run(next).exitCode == 0);
  CHECK_FALSE(hasLeftovers(arguments[3]));
  CHECK_FALSE(hasLeftovers(next[3]));
}

TEST_CASE("Not even what a script started survives a killed launcher", "[launcher]") {
  Launcher launcher(shell(2, joined() + "sleep 1000 & echo pid=$!; wait"));
  launcher.read([](const Result& so) { return pidsAfter(so.out, "pid=").size() == 2; });
  launcher.signal(SIGKILL);
  const auto pids = pidsAfter(launcher.wait().out, "pid=");
  REQUIRE(pids.size() == 2);
  awaitGone(pids);
}

TEST_CASE("What a program leaves running is ended with it, even if it has left the process group", "[launcher]") {
  const Result result =
      run(shell(1, joined() + "sleep 1000 & echo pid=$!; setsid sh -c 'echo pid=$$; exec sleep 1000' & "
                              "sleep 0.3"));
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 0);
  const auto pids = pidsAfter(result.out, "pid=");
  REQUIRE(pids.size() == 2);
  for (const pid_t pid : pids) CHECK(isGone(pid));
}

TEST_CASE("When nobody reads the output any more the run ends as with SIGPIPE", "[launcher]") {
  const Arguments arguments{"-n", "2", "--group", uniqueGroup(), "--pace", "50", "--heartbeat-interval", "50"};
  Launcher launcher(arguments);
  launcher.read([](const Result& so) { return so.has("[COM P0][REGISTER]"); });
  launcher.closeOutput();
  const Result& result = launcher.wait();
  CAPTURE(result.out, result.err);
  CHECK(result.exitCode == 128 + SIGPIPE);
  CHECK_FALSE(hasLeftovers(arguments[3]));
}

TEST_CASE("A reader that pauses does not stop the processes", "[launcher]") {
  // More than a pipe takes, and nobody reads it until the processes have told the test, by a file, that they are
  // done.
  const auto done = std::filesystem::temp_directory_path() / ("ronde-" + uniqueGroup());
  const std::string line(94, 'x');
  const std::string flood = joined() + "yes " + line + " | head -n 20000; : > '" + done.string() + "'";
  Launcher launcher(shell(1, flood, {"--quiet"}));
  while (!std::filesystem::exists(done)) sched_yield();
  const Result& result = launcher.wait();
  CHECK(result.exitCode == 0);
  CHECK(result.lines("[P0] " + line).size() == 20000);
  std::filesystem::remove(done);
}
