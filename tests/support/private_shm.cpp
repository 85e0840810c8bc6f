#include "tests/support/private_shm.hpp"

#include <sys/mount.h>

#include "tests/support/namespaces.hpp"

namespace ronde::testing {

std::string enterPrivateShm(std::size_t bytes) {
  if (auto why = enterPrivateMounts(); !why.empty()) return why;
  const std::string size = "size=" + std::to_string(bytes);
  if (mount("tmpfs", "/dev/shm", "tmpfs", 0, size.c_str()) != 0) return skippedBecause("mounting a tmpfs");
  return {};
}

std::string makeShmReadOnly() {
  if (mount(nullptr, "/dev/shm", nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0)
    return skippedBecause("remounting");
  return {};
}

}  // namespace ronde::testing
