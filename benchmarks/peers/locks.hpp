#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "benchmarks/peers/transport.hpp"

namespace ronde::bench {

/// A process's access to something that only one at a time may hold.
class Lock {
 public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  virtual ~Lock() = default;
  virtual void lock() = 0;
  virtual void unlock() = 0;
};

/// Made before the processes are forked.
class LockMaker {
 public:
  LockMaker() = default;
  LockMaker(const LockMaker&) = delete;
  LockMaker& operator=(const LockMaker&) = delete;
  virtual ~LockMaker() = default;
  /// In process `self`, once.
  virtual std::unique_ptr<Lock> join(int self) = 0;
};

struct LockKind {
  std::string name;
  std::function<std::unique_ptr<LockMaker>(const Setting&)> open;
};

LockKind rondeSection();
LockKind robustMutex();
LockKind posixSemaphore();
LockKind fileLock();
LockKind boostMutex();

}  // namespace ronde::bench
