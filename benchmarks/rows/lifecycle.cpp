#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <optional>
#include <thread>

#include "benchmarks/harness/sampler.hpp"
#include "benchmarks/harness/shared.hpp"
#include "benchmarks/peers/ronde_options.hpp"
#include "benchmarks/rows/contenders.hpp"
#include "benchmarks/rows/rows.hpp"

namespace ronde::bench {
namespace {

const Metric kTime{"", "ns", Better::lower};

Setting groupOf(int n) { return {n, 0, Waiting::mixed}; }

template <class Body>
Figures inOneProcess(Body body) {
  return decode(runProcesses(1, Placement::coreEach, kRunLimit, [&](int) { return encode({body()}); }).front());
}

/// The constructor of a group's first member; its end, which removes the group, is not timed.
Figures create(double seconds) {
  return inOneProcess([&] {
    Sampler sampler(seconds);
    for (Ticks begin = ticks(); sampler.wants(begin); begin = ticks()) {
      const Communicator first(optionsFor(groupOf(1), 0, newGroup()));
      const Ticks end = ticks();
      sampler.add(end - begin, end);
    }
    return sampler.figure();
  });
}

/// The constructor of one more member of a living group.
Figures attach(double seconds) {
  const std::string group = newGroup();
  const Shared<std::atomic<bool>> founded(false);
  const Shared<std::atomic<bool>> done(false);
  const auto texts = runProcesses(2, Placement::coreEach, kRunLimit, [&](int self) -> std::string {
    if (self == 0) {
      const Communicator founder(optionsFor(groupOf(1), 0, group));
      *founded = true;
      while (!*done) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return {};
    }
    while (!*founded) std::this_thread::yield();
    Sampler sampler(seconds);
    for (Ticks begin = ticks(); sampler.wants(begin); begin = ticks()) {
      const Communicator member(optionsFor(groupOf(1), 1, group));
      const Ticks end = ticks();
      sampler.add(end - begin, end);
    }
    *done = true;
    return encode({sampler.figure()});
  });
  return decode(texts.at(1));
}

/// From when all n call their constructor together to when the last has returned.
Figures registerTogether(int n) {
  struct Words {
    std::atomic<int> come{0};
    std::atomic<int> registered{0};
    std::atomic<Ticks> begin{0};
  };
  const std::string group = newGroup();
  const Shared<Words> words;
  const auto texts = runProcesses(n, Placement::free, kRunLimit, [&](int self) -> std::string {
    if (++words->come == n) words->begin = ticks();
    while (words->begin == 0) std::this_thread::yield();
    const Communicator member(optionsFor(groupOf(n), self, group));
    const Ticks end = ticks();
    ++words->registered;
    while (words->registered < n) std::this_thread::yield();
    return encode({single(nanoseconds(end - words->begin))});
  });
  double last = 0;
  for (const std::string& text : texts) last = std::max(last, decode(text).at(0).median);
  return {single(last)};
}

/// Again and again: forks a victim that runs `live` and says that it is ready, kills it, and times until `await`
/// knows.
template <class Live, class Ready, class Await>
Figure killAndAwait(double seconds, Live live, Ready ready, Await await) {
  const Shared<std::atomic<bool>> lives(false);
  Sampler sampler(std::max(seconds, 0.2), 0);
  for (Ticks now = ticks(); sampler.wants(now);) {
    *lives = false;
    const pid_t victim = forkBound(SIGKILL);
    if (victim == 0) {
      pin(Placement::coreEach, 1);
      live([&] {
        *lives = true;
        for (;;) pause();
      });
    }
    while (!*lives) std::this_thread::yield();
    ready();
    const Ticks begin = ticks();
    kill(victim, SIGKILL);
    await(victim);
    now = ticks();
    sampler.add(now - begin, now);
    waitpid(victim, nullptr, 0);
  }
  return sampler.figure();
}

Figures seenByView(double seconds) {
  return inOneProcess([&] {
    const std::string group = newGroup();
    Communicator watcher(optionsFor(groupOf(1), 0, group));
    View view;
    return killAndAwait(
        seconds,
        [&](const auto& stay) {
          const Communicator member(optionsFor(groupOf(1), 1, group));
          stay();
        },
        [&] {
          // The fork may have come before the view in which its predecessor is gone.
          view = watcher.view();
          while (view.idOf(memberName(1)) == kUnknownId) view = *watcher.waitView(view.number);
        },
        [&](pid_t) { require(watcher.waitView(view.number).outcome()); });
  });
}

Figures seenByRobustMutex(double seconds) {
  return inOneProcess([&] {
    const Shared<pthread_mutex_t> mutex;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&*mutex, &attributes);
    return killAndAwait(
        seconds,
        [&](const auto& stay) {
          pthread_mutex_lock(&*mutex);
          stay();
        },
        [] {},
        [&](pid_t) {
          if (pthread_mutex_lock(&*mutex) != EOWNERDEAD) throw std::runtime_error("the mutex had no dead owner");
          pthread_mutex_consistent(&*mutex);
          pthread_mutex_unlock(&*mutex);
        });
  });
}

Figures seenByPidfd(double seconds) {
  return inOneProcess([&] {
    return killAndAwait(
        seconds, [](const auto& stay) { stay(); }, [] {},
        [](pid_t victim) {
          const int file = static_cast<int>(syscall(SYS_pidfd_open, victim, 0));
          pollfd waited{file, POLLIN, 0};
          poll(&waited, 1, -1);
          close(file);
        });
  });
}

Figures seenBySocket(double seconds) {
  return inOneProcess([&] {
    std::array<int, 2> ends{-1, -1};
    const auto makeEnds = [&] { return socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0; };
    if (!makeEnds()) throw std::runtime_error("socketpair");
    return killAndAwait(
        seconds, [](const auto& stay) { stay(); }, [&] { close(ends[1]); },
        [&](pid_t) {
          char nothing = 0;
          if (::read(ends[0], &nothing, 1) != 0) throw std::runtime_error("no end of file");
          close(ends[0]);
          if (!makeEnds()) throw std::runtime_error("socketpair");
        });
  });
}

Experiment rondeOnly(std::string row, int n, std::vector<Metric> metrics,
                     std::function<Figures(double seconds)> run) {
  return {std::move(row), 0, n, std::move(metrics), {{kOurs, std::move(run)}}, std::nullopt};
}

}  // namespace

std::vector<Experiment> lifecycleRows(const Scale& scale) {
  std::vector<Experiment> list{rondeOnly("create a group", 1, {kTime}, create),
                               rondeOnly("attach", 2, {kTime}, attach)};
  const std::vector<int> groups = scale.quick ? std::vector{8} : std::vector{2, 8, 32, 128};
  for (const int n : groups) {
    list.push_back(rondeOnly("register together", n, {kTime}, [n](double) { return registerTogether(n); }));
  }
  list.push_back(rondeOnly("kill -9 to known", 2, {kTime}, seenByView));
  list.back().contenders.insert(
      list.back().contenders.end(),
      {{"robust-mutex", seenByRobustMutex}, {"pidfd", seenByPidfd}, {"socket", seenBySocket}});
  return list;
}

}  // namespace ronde::bench
