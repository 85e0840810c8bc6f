#include "tests/support/namespaces.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/child.hpp"

namespace ronde::testing {
namespace {

bool enterUserNamespace(int flags) {
  const std::string uid = std::to_string(geteuid());
  const std::string gid = std::to_string(getegid());
  if (unshare(CLONE_NEWUSER | flags) != 0) return false;
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/gid_map") << gid << " " << gid << " 1";
  std::ofstream("/proc/self/uid_map") << uid << " " << uid << " 1";
  return true;
}

}  // namespace

std::string enterNamespaces(int flags) {
  return unshare(flags) == 0 || enterUserNamespace(flags) ? std::string() : skippedBecause("unshare");
}

std::string inPidNamespace(const std::function<std::string()>& body, pid_t* pid) {
  if (const auto why = enterNamespaces(CLONE_NEWPID); !why.empty()) return why;
  Child first(body);
  if (pid != nullptr) *pid = first.pid();
  return first.report();
}

std::string enterPrivateMounts() {
  if (auto why = enterNamespaces(CLONE_NEWNS); !why.empty()) return why;
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return skippedBecause("private mounts");
  return {};
}

std::string enterOwnProc() {
  if (auto why = enterPrivateMounts(); !why.empty()) return why;
  if (mount("proc", "/proc", "proc", 0, nullptr) != 0) return skippedBecause("mounting /proc");
  return {};
}

}  // namespace ronde::testing
