#include "tests/support/private_shm.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace ronde::testing {
namespace {

std::string because(const char* what) { return std::string("skipped: ") + what + ": " + std::strerror(errno); }

/// Without root: root of a user namespace, in which we keep our own number.
bool enterUserNamespace() {
  const std::string uid = std::to_string(geteuid());
  const std::string gid = std::to_string(getegid());
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/gid_map") << gid << " " << gid << " 1";
  std::ofstream("/proc/self/uid_map") << uid << " " << uid << " 1";
  return true;
}

}  // namespace

std::string enterPrivateShm(std::size_t bytes) {
  if (unshare(CLONE_NEWNS) != 0 && !enterUserNamespace()) return because("unshare");
  if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return because("making mounts private");
  const std::string size = "size=" + std::to_string(bytes);
  if (mount("tmpfs", "/dev/shm", "tmpfs", 0, size.c_str()) != 0) return because("mounting a tmpfs");
  return {};
}

std::string makeShmReadOnly() {
  if (mount(nullptr, "/dev/shm", nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return because("remounting");
  return {};
}

}  // namespace ronde::testing
