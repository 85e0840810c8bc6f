#include "benchmarks/peers/locks.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/interprocess/sync/named_mutex.hpp>
#include <cerrno>
#include <system_error>

#include "benchmarks/harness/shared.hpp"

namespace ronde::bench {
namespace {

namespace bi = boost::interprocess;

void check(int error, const char* what) {
  if (error != 0) throw std::system_error(error, std::generic_category(), what);
}

/// A lock whose two calls are functions of something that the processes have inherited.
template <class Thing>
class Inherited : public LockMaker {
  class Access : public Lock {
   public:
    explicit Access(Inherited& maker) : thing_(maker.thing_), spins_(maker.spins_) {}
    void lock() override {
      if (!spins_) return thing_.lock();
      while (!thing_.tryLock()) relax();
    }
    void unlock() override { thing_.unlock(); }

   private:
    Thing& thing_;
    bool spins_;
  };

 public:
  explicit Inherited(const Setting& setting) : spins_(setting.waiting == Waiting::spin) {}
  std::unique_ptr<Lock> join(int /*self*/) override {
    thing_.afterFork();
    return std::make_unique<Access>(*this);
  }

 private:
  Thing thing_;
  bool spins_;
};

template <class Thing>
LockKind kind(const char* name) {
  return {name, [](const Setting& setting) { return std::make_unique<Inherited<Thing>>(setting); }};
}

class RobustMutex {
 public:
  RobustMutex() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    check(pthread_mutex_init(&*mutex_, &attributes), "pthread_mutex_init");
  }
  void afterFork() {}
  void lock() { check(pthread_mutex_lock(&*mutex_), "pthread_mutex_lock"); }
  bool tryLock() { return pthread_mutex_trylock(&*mutex_) == 0; }
  void unlock() { check(pthread_mutex_unlock(&*mutex_), "pthread_mutex_unlock"); }

 private:
  Shared<pthread_mutex_t> mutex_;
};

class Semaphore {
 public:
  Semaphore() { sem_init(&*semaphore_, 1, 1); }
  void afterFork() {}
  void lock() {
    while (sem_wait(&*semaphore_) != 0) {
    }
  }
  bool tryLock() { return sem_trywait(&*semaphore_) == 0; }
  void unlock() { sem_post(&*semaphore_); }

 private:
  Shared<sem_t> semaphore_;
};

/// flock() locks belong to the open file, so each process opens it for itself.
class FileLock {
 public:
  FileLock() : file_(memfd_create("ronde-bench", MFD_CLOEXEC)) {
    if (file_ < 0) check(errno, "memfd_create");
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() { close(file_); }
  void afterFork() {
    const std::string path = "/proc/self/fd/" + std::to_string(file_);
    const int own = open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (own < 0) check(errno, "open");
    close(std::exchange(file_, own));
  }
  void lock() const {
    while (flock(file_, LOCK_EX) != 0) {
    }
  }
  bool tryLock() const { return flock(file_, LOCK_EX | LOCK_NB) == 0; }
  void unlock() const { flock(file_, LOCK_UN); }

 private:
  int file_;
};

class BoostMutex {
 public:
  BoostMutex() : name_("ronde-bench-" + std::to_string(getpid())), mutex_(bi::create_only, name_.c_str()) {
    bi::named_mutex::remove(name_.c_str());
  }
  void afterFork() {}
  void lock() { mutex_.lock(); }
  bool tryLock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::string name_;
  bi::named_mutex mutex_;
};

}  // namespace

LockKind robustMutex() { return kind<RobustMutex>("robust-mutex"); }
LockKind posixSemaphore() { return kind<Semaphore>("semaphore"); }
LockKind fileLock() { return kind<FileLock>("flock"); }
LockKind boostMutex() { return kind<BoostMutex>("boost-mutex"); }

}  // namespace ronde::bench
