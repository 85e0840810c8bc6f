#include "tests/crash/victim.hpp"

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>

#include "tests/crash/tracee.hpp"

namespace ronde::crash {
namespace {

/// What the process sees that was stopped, evicted and woken up.
void report(Communicator& me, Board& board) {
  board.nextReported = static_cast<int>(me.tryReceive().status());
  board.stopReported = static_cast<int>(me.stop().status);
}

void perform(const Plan& plan, Board& board) {
  const Scenario& scenario = plan.scenario;
  const Options options = plan.options("v");
  if (scenario.entry != Entry::member) {
    if (!board.crewReady.await(kPatience)) throw std::runtime_error("v: the survivors are not ready");
    // Those of a founding cohort are inside their constructors.
    for (int active = 0; scenario.entry == Entry::third && active < 2;) {
      const auto look = Look::at(plan.group);
      active = look ? look->active() : 0;
    }
    markBegin();
    Communicator me(options);
    board.reported = static_cast<int>(Status::ok);
    markEnd();
    if (plan.mode == Mode::stop) report(me, board);
    return;
  }
  Communicator me(options);
  Actor actor{.me = me, .board = board, .group = plan.group, .payload = pattern(kVictimTag, scenario.size)};
  if (!board.crewReady.await(kPatience)) throw std::runtime_error("v: the survivors are not ready");
  if (scenario.prepare) scenario.prepare(actor);
  markBegin();
  if (scenario.act) board.reported = static_cast<int>(scenario.act(actor));
  markEnd();
  if (plan.mode == Mode::stop) report(me, board);
}

}  // namespace

void runVictim(const Plan& plan, Board& board) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  try {
    perform(plan, board);
  } catch (const std::exception& error) {
    board.reported = Board::kThrew;
    std::snprintf(board.victimText.data(), board.victimText.size(), "%s", error.what());
  }
  _exit(0);
}

void runRepairer(const Plan& plan, Board& board) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Communicator me(plan.options("w"));
  board.repairerReady.open();
  if (board.repairerMayGo.await(std::chrono::hours(1))) report(me, board);
  _exit(0);
}

}  // namespace ronde::crash
