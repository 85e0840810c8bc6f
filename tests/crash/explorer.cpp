#include "tests/crash/explorer.hpp"

#include <dirent.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <ronde/inspect.hpp>
#include <stdexcept>

#include "tests/crash/segment_watch.hpp"
#include "tests/crash/tracee.hpp"
#include "tests/crash/victim.hpp"

namespace ronde::crash {
namespace {

constexpr unsigned kWatchdogSeconds = 40;

struct Hung : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Children of one point; whatever happens, none outlives it.
class Child {
 public:
  template <class Body>
  explicit Child(Body body) : pid_(fork()) {
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      body();
      _exit(0);
    }
    if (pid_ < 0) throw std::runtime_error("fork failed");
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// A traced thread besides the main one, which is to be waited for by its own.
  void noteTraced(pid_t tid) { traced_ = tid; }
  /// SIGKILL; returns once it is gone.
  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    if (traced_ != 0) waitpid(traced_, nullptr, __WALL);
    for (int status = 0; waitpid(pid_, &status, __WALL) == pid_ && WIFSTOPPED(status);) {
    }
    pid_ = 0;
  }
  /// Its wait status once it ended by itself. @throws Hung by the watchdog.
  int await(const char* who) {
    int status = 0;
    while (waitpid(pid_, &status, __WALL) != pid_ || WIFSTOPPED(status)) {
      if (errno == EINTR) throw Hung(std::string(who) + " did not end");
    }
    pid_ = 0;
    return status;
  }
  [[nodiscard]] bool hasEnded() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  }

 private:
  pid_t pid_;
  pid_t traced_ = 0;
};

/// The one thread besides the main one.
pid_t serviceThreadOf(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  pid_t found = 0;
  if (DIR* tasks = opendir(folder.c_str())) {
    while (const dirent* entry = readdir(tasks)) {
      const pid_t tid = std::atoi(entry->d_name);
      if (tid > 0 && tid != pid) found = tid;
    }
    closedir(tasks);
  }
  if (found == 0) throw std::runtime_error("no service thread");
  return found;
}

class Exploration {
 public:
  Exploration(const Plan& plan, Unit unit, Point point, Board& board)
      : plan_(plan), unit_(unit), point_(point), board_(board), crew_([this] { runCrew(plan_, board_); }) {}

  void run(Finding& finding) {
    if (plan_.hasRepairer()) {
      Child w([this] { runRepairer(plan_, board_); });
      Child v([this] { runVictim(plan_, board_); });
      takeFirst(v, finding);
      repair(v, w, finding);
    } else {
      Child v([this] { runVictim(plan_, board_); });
      Tracee tracee = Tracee::atMark(v.pid());
      Tracee::Rules rules{.onBlocked = [this] { return startPeers(); }, .until = {}, .isSeen = {}};
      SegmentWatch watch(plan_.group);
      if (unit_ == Unit::visible) rules.isSeen = [&](bool wasSyscall) { return watch.hasChanged(wasSyscall); };
      static_cast<void>(watch.hasChanged(unit_ == Unit::visible));
      const auto end = tracee.step(point_.first, rules);
      finding.steps = tracee.steps();
      takeAway(tracee, end, v, finding);
    }
    const int status = crew_.await("a survivor");
    const bool isClean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (board_.violation[0] != '\0') throw std::runtime_error(board_.violation.data());
    if (!isClean)
      throw std::runtime_error("the survivors' process ended by signal " + std::to_string(WTERMSIG(status)));
  }

  /// Where the victims stood, for people.
  [[nodiscard]] std::string places() const {
    return (plan_.hasRepairer() ? "v: " + first_.text() + "\n      w: " : std::string()) + last_.text();
  }

 private:
  /// The victim sleeps: the survivors do their part now. False if there is none, so that nobody will wake it.
  bool startPeers() {
    if (!plan_.scenario.peer || plan_.scenario.peersFirst || board_.peersGo.isOpen())
      return board_.peersGo.isOpen();
    board_.peersGo.open();
    return true;
  }

  /// With a repairer: "v" dies first, and nobody else notices.
  void takeFirst(Child& v, Finding& finding) {
    if (!board_.repairerReady.await(kPatience)) throw std::runtime_error("w is not ready");
    Tracee tracee = Tracee::atMark(v.pid());
    const auto look = Look::at(plan_.group);
    Tracee::Rules rules;
    if (plan_.scenario.diesWhen) rules.until = [&] { return plan_.scenario.diesWhen(*look); };
    const bool steps = plan_.mode == Mode::twice || plan_.scenario.diesWhen;
    if (steps) static_cast<void>(tracee.step(plan_.mode == Mode::twice ? point_.first : UINT64_MAX, rules));
    finding.firstSteps = tracee.steps();
    first_ = tracee.place();
  }

  void repair(Child& v, Child& w, Finding& finding) {
    // Nobody but "w" repairs meanwhile.
    kill(crew_.pid(), SIGSTOP);
    const pid_t service = serviceThreadOf(w.pid());
    Tracee tracee = Tracee::seized(service);
    w.noteTraced(service);
    v.end();
    const auto end = tracee.step(point_.second, {.onBlocked = {}, .until = {}, .untilSleep = true, .isSeen = {}});
    finding.steps = tracee.steps();
    kill(crew_.pid(), SIGCONT);
    takeAway(tracee, end, w, finding);
  }

  /// Kills or stops the one that was stepped, and sees to the end of it.
  void takeAway(Tracee& tracee, Tracee::End end, Child& child, Finding& finding) {
    finding.ended = end == Tracee::End::done || end == Tracee::End::blocked;
    if (const auto look = Look::at(plan_.group)) finding.fingerprint = look->fingerprint();
    last_ = tracee.place();
    alarm(kWatchdogSeconds);
    if (end == Tracee::End::crashed) throw std::runtime_error("the victim crashed by itself");
    if (plan_.mode != Mode::stop) {
      child.end();
      board_.peersGo.open();
      board_.victimGone.open();
      return;
    }
    tracee.releaseStopped(child.pid());
    child.noteTraced(0);
    board_.peersGo.open();
    board_.victimGone.open();
    while (!board_.crewIsDone.await(std::chrono::milliseconds(100))) {
      if (crew_.hasEnded()) return;
    }
    board_.repairerMayGo.open();
    kill(child.pid(), SIGCONT);
    const int status = child.await("the victim");
    finding.evicted = board_.evicted;
    finding.fenced = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    board_.victimEnded.open();
    if (WIFSIGNALED(status) && !finding.fenced) {
      throw std::runtime_error("after waking up the victim crashed by signal " + std::to_string(WTERMSIG(status)));
    }
    if (!finding.fenced) judgeReturn();
  }

  /// Who was evicted learns it.
  void judgeReturn() const {
    const int evicted = static_cast<int>(Status::evicted);
    const bool inConstructor = plan_.scenario.entry != Entry::member || board_.reported == Board::kThrew;
    if (board_.reported == Board::kThrew && !inConstructor) {
      throw std::runtime_error(std::string("after waking up the victim threw: ") + board_.victimText.data());
    }
    if (board_.reported == Board::kThrew) return;
    const int next = board_.nextReported;
    const bool hadStopped =
        next == static_cast<int>(Status::stopped) && plan_.scenario.act && board_.reported == 0;
    if (board_.evicted && next != evicted && !hadStopped) {
      throw std::runtime_error("the victim was evicted, but its next call returned " + std::to_string(next));
    }
    if (board_.stopReported != 0) {
      throw std::runtime_error("the victim's stop() returned " + std::to_string(board_.stopReported));
    }
  }

  const Plan& plan_;
  const Unit unit_;
  const Point point_;
  Board& board_;
  Child crew_;
  Place first_;
  Place last_;
};

}  // namespace

Finding explore(const Scenario& scenario, Mode mode, Unit unit, Point point, const std::string& group,
                Board& board, bool mayTell) {
  const Plan plan{scenario, mode, group};
  Finding finding;
  new (&board) Board;
  std::string text;
  {
    Exploration exploration(plan, unit, point, board);
    try {
      exploration.run(finding);
      finding.kind = Finding::Kind::fine;
    } catch (const Hung& hung) {
      finding.kind = Finding::Kind::hung;
      text = hung.what();
    } catch (const std::exception& error) {
      finding.kind = Finding::Kind::violation;
      text = error.what();
    }
    if (!text.empty() && board.violation[0] != '\0' && text != board.violation.data()) {
      text += std::string("; ") + board.violation.data();
    }
    if (!text.empty() || mayTell) text += "\n      " + exploration.places();
  }
  alarm(0);
  if (finding.kind != Finding::Kind::fine) removeStaleSegments();
  finding.worstCallMs = static_cast<double>(board.worstCallNs) / 1e6;
  std::snprintf(finding.text, sizeof(finding.text), "%s", text.c_str());
  return finding;
}

}  // namespace ronde::crash
