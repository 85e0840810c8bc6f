#include "bin/launcher/launch.hpp"

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <ronde/error.hpp>
#include <system_error>

#include "bin/launcher/remarks.hpp"
#include "bin/scenarios/scenario.hpp"

namespace ronde::tool {
namespace {

using std::chrono::milliseconds;

/// How often the group is looked at: while members are expected, and later for the counters.
constexpr milliseconds kArrivalLook{1};
constexpr milliseconds kLook{250};
/// Output that nobody takes is kept up to this size; then the processes have to wait.
constexpr std::size_t kMostPending = 64 * 1024 * 1024;

constexpr std::array kHandledSignals{SIGCHLD, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

sigset_t handledSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kHandledSignals) sigaddset(&set, signal);
  return set;
}

}  // namespace

Launch::Launch(const LaunchSettings& settings)
    : settings_(settings),
      startNs_(LineFormat::nowNs()),
      started_(Clock::now()),
      reporter_(settings, startNs_),
      watch_(settings.group) {
  raiseDescriptorLimit();
  // What our processes leave behind when they end becomes our child, so that it can be ended too.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = handledSignals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = Descriptor(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals_.isOpen()) throw std::system_error(errno, std::generic_category(), "signalfd");
}

int Launch::run() {
  if (!isGroupFree()) {
    reporter_.flush();
    return kExitNotJoined;
  }
  const auto founders = static_cast<std::size_t>(settings_.processes());
  while (running() > 0 || (!isStopping() && nextFounder_ < founders)) {
    onTime();
    reporter_.flush();
    if (running() > 0) waitForNews();
  }
  finish();
  return exitCode_.value_or(kExitOk);
}

bool Launch::isGroupFree() {
  removeStaleSegments();
  try {
    const auto group = GroupInspector::open(settings_.group);
    if (!group) return true;
    std::string pids;
    for (const SlotReport& slot : group->slots()) {
      if (slot.state == SlotState::active) pids += (pids.empty() ? "" : ", ") + std::to_string(slot.pid);
    }
    reporter_.error("group '" + settings_.group + "' is in use (by process " + pids + "); choose another --group");
  } catch (const Error& error) {
    reporter_.error(error.what());
  }
  return false;
}

// --- starting ---------------------------------------------------------------------------------------------------

void Launch::startDue() {
  const auto founders = static_cast<std::size_t>(settings_.processes());
  while (nextFounder_ < founders && !isStopping()) {
    if (settings_.ordered && !processes_.empty() && !processes_.back().joined) return;
    const std::string name = "P" + std::to_string(nextFounder_++);
    start(name, programOf(name), false);
  }
}

const std::vector<std::string>& Launch::programOf(const std::string& name) const {
  // A process that comes back runs what it ran before; a new one runs the first program.
  int number = -1;
  if (name.starts_with("P")) std::from_chars(name.data() + 1, name.data() + name.size(), number);
  if (name != "P" + std::to_string(number) || number >= settings_.processes()) number = 0;
  for (const Program& program : settings_.programs) {
    if (number < program.count) return program.arguments;
    number -= program.count;
  }
  return settings_.programs.front().arguments;
}

void Launch::start(const std::string& name, const std::vector<std::string>& program, bool late) {
  SpawnRequest request;
  if (program.empty()) {
    request.program = "/proc/self/exe";
    request.arguments = roleArguments(
        {settings_.scenario, settings_.language, settings_.json, late, settings_.pause, settings_.seed, startNs_});
    request.arguments.insert(request.arguments.begin(), "ronde-launch");
  } else {
    request.program = program.front();
    request.arguments = program;
  }
  request.environment = {{"RONDE_GROUP", settings_.group},
                         {"RONDE_NAME", name},
                         {"RONDE_EXPECTED", std::to_string(settings_.processes())}};
  const auto addNumber = [&](const char* variable, long long value) {
    request.environment.emplace_back(variable, std::to_string(value));
  };
  if (settings_.heartbeatInterval) addNumber("RONDE_HEARTBEAT_INTERVAL_MS", *settings_.heartbeatInterval);
  if (settings_.heartbeatTimeout) addNumber("RONDE_HEARTBEAT_TIMEOUT_MS", *settings_.heartbeatTimeout);
  // The first has to wait for all the others; that they come is watched over here.
  constexpr const char* kRegistration = "RONDE_REGISTRATION_TIMEOUT_MS";
  if (std::getenv(kRegistration) == nullptr) {
    const milliseconds needed = settings_.joinLimit * (settings_.processes() + 1);
    addNumber(kRegistration,
              std::clamp<milliseconds>(needed, std::chrono::seconds(1), std::chrono::hours(24)).count());
  }

  const int segmentsBefore = watch_.created();
  try {
    Spawned spawned = spawn(request);
    Process& process = processes_.emplace_back();
    process.name = name;
    process.arguments = program;
    process.number = static_cast<int>(processes_.size()) - 1;
    process.pid = spawned.pid;
    process.started = Clock::now();
    process.output.pipe = std::move(spawned.output);
    process.errors.pipe = std::move(spawned.errors);
    process.late = late;
    process.segmentsBefore = segmentsBefore;
    keeper_.watch(process.pid);
    Fields fields{{"name", name}, {"pid", process.pid}};
    if (!program.empty()) fields["program"] = program;
    reporter_.event(kStart, fields);
  } catch (const std::system_error& error) {
    const int reason = error.code().value();
    const bool missing = reason == ENOENT || reason == ENOTDIR;
    const bool isProgram = std::string_view(error.what()).starts_with("cannot execute");
    reporter_.error(name + ": " + error.what() +
                    (!isProgram ? ""
                     : missing  ? "; give the path of a program, or a name found in PATH"
                                : "; is it an executable file?"));
    beginStop(!isProgram ? kExitNotJoined : missing ? kExitNotFound : kExitNotExecutable, SIGTERM);
  }
}

bool Launch::isArriving() const {
  return !complete_ || std::any_of(processes_.begin(), processes_.end(),
                                   [](const Process& one) { return !one.over && !one.joined; });
}

// --- times ------------------------------------------------------------------------------------------------------

void Launch::onTime() {
  const auto now = Clock::now();
  if (now >= nextLook_) look();
  startDue();
  checkArrivals(now);
  if (complete_ && !isStopping()) {
    while (nextFault_ < settings_.faults.size() && now >= *complete_ + settings_.faults[nextFault_].at) {
      carryOut(settings_.faults[nextFault_++]);
    }
    resumeForgotten();
  }
  if (settings_.timeout && !isStopping() && now >= started_ + *settings_.timeout) {
    reporter_.error("the time limit of " + std::to_string(settings_.timeout->count()) +
                    " ms is over, stopping all");
    beginStop(kExitTimeout, SIGTERM);
  }
  if (stopBy_ && now >= *stopBy_) killAll();
  if (reporter_.output().isBroken() && !isStopping()) beginStop(128 + SIGPIPE, SIGTERM);
}

void Launch::look() {
  watch_.look(processes_);
  if (!complete_ && nextFounder_ == static_cast<std::size_t>(settings_.processes()) && watch_.isComplete()) {
    complete_ = Clock::now();
    reporter_.event(kComplete, {{"processes", settings_.processes()}});
  }
  nextLook_ = Clock::now() + (isArriving() ? kArrivalLook : kLook);
}

void Launch::checkArrivals(Clock::time_point now) {
  for (Process& one : processes_) {
    if (one.over || one.joined || isStopping() || now < one.started + settings_.joinLimit) continue;
    reporter_.error(one.title() + " has not registered in group '" + settings_.group + "' within " +
                    std::to_string(settings_.joinLimit.count()) + " ms" + kHowToJoin);
    if (one.late && settings_.keepGoing) {
      exitCode_ = exitCode_.value_or(kExitNotJoined);
      one.joined = true;  // said once
      kill(-one.pid, SIGKILL);
    } else {
      beginStop(kExitNotJoined, SIGTERM);
    }
  }
}

void Launch::carryOut(const Fault& fault) {
  Process* process = findRunning(fault.name);
  const bool isJoin = fault.action == Fault::Action::join;
  if (isJoin ? process != nullptr : process == nullptr) {
    reporter_.remark(isJoin ? kStillThere : kNotThere, {{"fault", toString(fault)}, {"name", fault.name}});
    return;
  }
  Fields fields{{"action", toString(fault.action)}, {"name", fault.name}};
  if (process != nullptr) fields["pid"] = process->pid;
  reporter_.remark(kFault, fields);
  switch (fault.action) {
    case Fault::Action::join: start(fault.name, programOf(fault.name), true); return;
    case Fault::Action::kill:
      process->killedByScript = true;
      kill(-process->pid, SIGKILL);
      return;
    case Fault::Action::stop:
      process->stoppedByScript = true;
      kill(-process->pid, SIGSTOP);
      return;
    case Fault::Action::cont:
      process->stoppedByScript = false;
      kill(-process->pid, SIGCONT);
      return;
  }
}

/// A script may stop a process and never continue it: once all others have ended, it would wait for ever.
void Launch::resumeForgotten() {
  if (nextFault_ < settings_.faults.size() || running() == 0) return;
  const auto mayRun = [](const Process& one) { return !one.over && !one.stoppedByScript; };
  if (std::any_of(processes_.begin(), processes_.end(), mayRun)) return;
  for (Process& one : processes_) {
    if (one.over) continue;
    one.stoppedByScript = false;
    reporter_.remark(kResumed, {{"name", one.name}, {"pid", one.pid}});
    kill(-one.pid, SIGCONT);
  }
}

Launch::Clock::time_point Launch::nextTime() const {
  auto next = nextLook_;
  if (complete_ && nextFault_ < settings_.faults.size()) {
    next = std::min(next, *complete_ + settings_.faults[nextFault_].at);
  }
  if (settings_.timeout && !isStopping()) next = std::min(next, started_ + *settings_.timeout);
  if (stopBy_) next = std::min(next, *stopBy_);
  return next;
}

int Launch::running() const {
  return static_cast<int>(
      std::count_if(processes_.begin(), processes_.end(), [](const Process& one) { return !one.over; }));
}

Process* Launch::findRunning(const std::string& name) {
  const auto found = std::find_if(processes_.begin(), processes_.end(),
                                  [&](const Process& one) { return !one.over && one.name == name; });
  return found == processes_.end() ? nullptr : &*found;
}

// --- descriptors ------------------------------------------------------------------------------------------------

void Launch::waitForNews() {
  polled_.clear();
  const auto add = [&](int descriptor, short events) { polled_.push_back({descriptor, events, 0}); };
  add(signals_.get(), POLLIN);
  if (isArriving()) add(watch_.descriptor(), POLLIN);
  for (Sink* sink : {&reporter_.output(), &reporter_.errors()}) {
    if (sink->pending() > 0) add(sink->descriptor(), POLLOUT);
  }
  if (reporter_.pending() < kMostPending) {
    for (const Process& one : processes_) {
      if (one.output.pipe.isOpen()) add(one.output.pipe.get(), POLLIN);
      if (one.errors.pipe.isOpen()) add(one.errors.pipe.get(), POLLIN);
    }
  }
  const auto wait = std::max<Clock::duration>(nextTime() - Clock::now(), Clock::duration::zero());
  const timespec limit{std::chrono::duration_cast<std::chrono::seconds>(wait).count(),
                       std::chrono::nanoseconds(wait % std::chrono::seconds(1)).count()};
  if (ppoll(polled_.data(), polled_.size(), &limit, nullptr) <= 0) return;

  if (polled_.front().revents != 0) onSignals();
  const bool anyNotice = std::any_of(polled_.begin(), polled_.end(), [&](const pollfd& one) {
    return one.fd == watch_.descriptor() && one.revents != 0;
  });
  if (anyNotice) look();
  for (Process& one : processes_) {
    if (!one.over) readOutput(one);
  }
}

void Launch::readOutput(Process& process) {
  readStream(process, process.output, Reporter::From::output);
  readStream(process, process.errors, Reporter::From::errors);
}

void Launch::readStream(Process& process, Stream& stream, Reporter::From from) {
  static std::array<char, 64 * 1024> buffer;
  std::string line;
  while (stream.pipe.isOpen() && (process.over || reporter_.pending() < kMostPending)) {
    const ssize_t got = read(stream.pipe.get(), buffer.data(), buffer.size());
    if (got > 0) {
      stream.lines.add({buffer.data(), static_cast<std::size_t>(got)});
      while (stream.lines.next(line)) reporter_.processLine(process, from, line);
    } else if (got == 0) {
      stream.pipe.reset();
    } else if (errno != EINTR) {
      break;
    }
  }
  // Somebody may hold the pipe open after the process has ended; that is not waited for.
  if (process.over) stream.pipe.reset();
  if (!stream.pipe.isOpen() && stream.lines.rest(line)) reporter_.processLine(process, from, line);
}

}  // namespace ronde::tool
