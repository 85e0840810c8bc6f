#include "tests/support/private_shm.hpp"

#include <cstdio>

// Called by the fuzzer once: where this is allowed, a crash leaves nothing in the common /dev/shm.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const std::string why = ronde::testing::enterPrivateShm(256 << 20);
  if (!why.empty()) std::fprintf(stderr, "in the common /dev/shm (%s)\n", why.c_str());
  return 0;
}
