#include <atomic>
#include <numeric>
#include <thread>
#include <utility>

#include "benchmarks/harness/sampler.hpp"
#include "benchmarks/harness/shared.hpp"
#include "benchmarks/peers/locks.hpp"
#include "benchmarks/rows/contenders.hpp"
#include "benchmarks/rows/probes.hpp"
#include "benchmarks/rows/rows.hpp"

namespace ronde::bench {
namespace {

struct alignas(128) Words {
  std::atomic<int> come{0};
  std::atomic<int> done{0};
  std::atomic<Ticks> begin{0};
  alignas(128) std::uint64_t counter = 0;  ///< protected by the lock that is measured
  alignas(128) std::atomic<Ticks> released{0};
  alignas(128) std::atomic<std::uint64_t> holds{0};     ///< rounds in which process 0 has entered
  alignas(128) std::atomic<std::uint64_t> asks{0};      ///< rounds in which process 1 is about to ask
  alignas(128) std::atomic<std::uint64_t> finished{0};  ///< rounds that process 1 has left
  std::atomic<bool> last{false};
};

void meet(std::atomic<int>& count, int all) {
  ++count;
  while (count < all) std::this_thread::yield();
}

/// Enters again and again: how often from an agreed moment on, and each wait. Goes on until all have seen the time
/// pass: with fewer contenders a lock is much faster, so even a short time with less of them would be what is
/// counted.
Figures enterFor(Lock& lock, Words& words, int n, double seconds) {
  constexpr double kHeadStart = 0.02;
  Sampler waits(kHeadStart + seconds, 0);
  if (++words.come == n) words.begin = ticks() + ticksOf(kHeadStart);
  while (words.begin == 0) std::this_thread::yield();
  const Ticks begin = words.begin;
  const Ticks end = begin + ticksOf(seconds);
  double counted = 0;
  double all = 0;
  bool passed = false;
  while (words.done < n) {
    const Ticks asked = ticks();
    lock.lock();
    const Ticks got = ticks();
    ++words.counter;
    lock.unlock();
    ++all;
    if (asked >= begin && asked < end) {
      ++counted;
      waits.add(got - asked, got);
    }
    if (asked >= end && !std::exchange(passed, true)) ++words.done;
  }
  return {single(counted), single(all), waits.figure()};
}

Figures contend(const LockKind& kind, const Setting& setting, double seconds) {
  const auto maker = kind.open(setting);
  const Shared<Words> words;
  // Shorter than some slices of the scheduler, a run would only show who came first.
  const double atLeast = std::max(seconds, 0.2);
  const auto texts = runProcesses(setting.n, placementFor(setting.n), kRunLimit, [&](int self) {
    const auto lock = maker->join(self);
    return encode(enterFor(*lock, *words, setting.n, atLeast));
  });
  std::vector<double> shares;
  double all = 0;
  Figure wait = single(0);
  wait.p99 = wait.longest = 0;
  for (const std::string& text : texts) {
    const Figures part = decode(text);
    shares.push_back(part.at(0).median);
    all += part.at(1).median;
    // The worst of the processes: what each of them has to reckon with.
    wait.median = std::max(wait.median, part.at(2).median);
    wait.p99 = std::max(wait.p99, part[2].p99);
    wait.longest = std::max(wait.longest, part[2].longest);
  }
  if (static_cast<double>(words->counter) != all) throw std::runtime_error("two were inside at once");
  const double counted = std::accumulate(shares.begin(), shares.end(), 0.0);
  return {single(counted / atLeast), single(jain(shares)), wait, single(wait.longest)};
}

/// Enters and leaves, alone.
Figures alone(const LockKind& kind, double seconds) {
  const Setting setting{1, 0, Waiting::mixed};
  const auto maker = kind.open(setting);
  const auto texts = runProcesses(1, Placement::coreEach, kRunLimit, [&](int self) {
    constexpr int kBatch = 16;  // so that reading the clock does not show
    const auto lock = maker->join(self);
    Sampler sampler(seconds);
    for (Ticks begin = ticks(); sampler.wants(begin);) {
      for (int i = 0; i < kBatch; ++i) {
        lock->lock();
        lock->unlock();
      }
      const Ticks end = ticks();
      sampler.add(end - begin, end);
      begin = end;
    }
    return encode({sampler.figure(kBatch)});
  });
  return decode(texts.front());
}

template <class T>
void awaitRound(const std::atomic<T>& word, T round) {
  while (word < round) relax();
}

/// Process 0 holds until process 1 has waited for `hold` seconds, then leaves.
void holdAndLeave(Lock& lock, Words& words, double hold, double seconds) {
  const Ticks end = ticks() + ticksOf(seconds);
  for (std::uint64_t round = 1;; ++round) {
    const bool last = ticks() >= end;
    lock.lock();
    words.last = last;
    words.holds = round;
    awaitRound(words.asks, round);
    const Ticks until = ticks() + ticksOf(hold);
    while (ticks() < until) relax();
    words.released = ticks();
    lock.unlock();
    awaitRound(words.finished, round);
    if (last) return;
  }
}

Figure enterAfter(Lock& lock, Words& words, double seconds) {
  Sampler sampler(seconds, 0);
  for (std::uint64_t round = 1;; ++round) {
    awaitRound(words.holds, round);
    const bool last = words.last;
    words.asks = round;
    lock.lock();
    const Ticks now = ticks();
    sampler.add(now - words.released, now);
    lock.unlock();
    words.finished = round;
    if (last) return sampler.figure();
  }
}

Figures handOff(const LockKind& kind, Waiting waiting, double seconds) {
  const auto maker = kind.open({2, 0, waiting});
  const Shared<Words> words;
  const double hold = waiting == Waiting::spin ? 3e-6 : 100e-6;
  const auto texts = runProcesses(2, Placement::coreEach, kRunLimit, [&](int self) -> std::string {
    const auto lock = maker->join(self);
    meet(words->come, 2);
    Figures figures;
    if (self == 0) {
      holdAndLeave(*lock, *words, hold, seconds);
    } else {
      figures = {enterAfter(*lock, *words, seconds)};
    }
    meet(words->done, 2);
    return encode(figures);
  });
  return decode(texts.at(1));
}

using Run = std::function<Figures(const LockKind&, double)>;

Experiment experiment(std::string row, int n, std::vector<Metric> metrics, const Run& run) {
  static const std::vector<LockKind> kinds{rondeSection(), robustMutex(), posixSemaphore(), fileLock(),
                                           boostMutex()};
  Experiment made{std::move(row), 0, n, std::move(metrics), {}, std::nullopt};
  for (const LockKind& kind : kinds) {
    made.contenders.push_back({kind.name, [run, &kind](double seconds) { return run(kind, seconds); }});
  }
  return made;
}

}  // namespace

std::vector<Experiment> sectionRows(const Scale& scale) {
  const Metric time{"", "ns", Better::lower};
  std::vector<Experiment> list;
  list.push_back(experiment("section, alone", 1, {time}, alone));
  list.push_back(experiment("section, hand-off", 2, {time}, [](const LockKind& kind, double seconds) {
    return handOff(kind, Waiting::spin, seconds);
  }));
  list.back().floor = cacheLineProbe();
  list.push_back(experiment("section, hand-off, blocked", 2, {time}, [](const LockKind& kind, double seconds) {
    return handOff(kind, Waiting::block, seconds);
  }));
  list.back().floor = futexProbe(Placement::coreEach);
  const std::vector<Metric> metrics{{"rate", "1/s", Better::higher},
                                    {"fairness (Jain)", "", Better::higher},
                                    {"wait", "ns", Better::lower},
                                    {"longest wait", "ns", Better::lower}};
  const std::vector<int> groups = scale.quick ? std::vector{2, 8} : std::vector{2, 4, 8, 16};
  for (const int n : groups) {
    list.push_back(experiment("section, contended", n, metrics, [n](const LockKind& kind, double seconds) {
      return contend(kind, {n, 0, Waiting::mixed}, seconds);
    }));
  }
  return list;
}

}  // namespace ronde::bench
