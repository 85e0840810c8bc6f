// Memory that is not to be had, at every single allocation in turn: joining ends in an exception and leaves
// nothing.

#include <algorithm>
#include <cstdlib>
#include <new>

#include "tests/support/child.hpp"
#include "tests/support/descriptors.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/operations.hpp"
#include "tests/support/scratch_group.hpp"

namespace {

/// How many allocations of this thread succeed before one fails; negative: all.
thread_local long allowed = -1;

void* allocate(std::size_t size, std::size_t alignment) {
  if (allowed == 0) throw std::bad_alloc();
  if (allowed > 0) --allowed;
  void* const memory =
      std::aligned_alloc(alignment, (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// For the whole program: every allocation of the library goes through here.
void* operator new(std::size_t size) { return allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*size*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}

using namespace ronde;
using namespace ronde::testing;

namespace {

/// Joins with one more allocation each time, until it works. "N failures", or what was wrong.
std::string joinWithLittle(const ScratchGroup& group, const std::string& name, const Gate& joined) {
  const bool existed = group.exists();
  const long descriptors = openDescriptors();
  for (long count = 0; count < 10'000; ++count) {
    Options options = group.options(name);
    std::unique_ptr<Communicator> com;
    bool isRefused = false;
    allowed = count;
    try {
      com.reset(new Communicator(std::move(options)));
    } catch (const std::bad_alloc&) {
      isRefused = true;
    } catch (const Error& error) {
      allowed = -1;
      return error.what();
    }
    allowed = -1;
    if (com) {
      joined.open();
      return allOperations(*com) + (count > 10 ? "" : "nothing was tried");
    }
    if (!isRefused) return "neither joined nor refused";
    if (group.exists() != existed) return "the name changed after " + std::to_string(count);
    if (openDescriptors() != descriptors) return "a descriptor is left after " + std::to_string(count);
  }
  return "never worked";
}

}  // namespace

TEST_CASE("whichever allocation of the caller fails while a group is founded: bad_alloc, and nothing is left (F5)",
          "[process]") {
  const ScratchGroup group;
  const ScratchGroup another;
  const Communicator beside(another.options("P0"));  // for the sweep to look at
  const Gate joined;
  Child child([&] { return joinWithLittle(group, "P0", joined); });
  CHECK(child.report() == "");
}

TEST_CASE(
    "whichever allocation of the caller fails while a group is joined: bad_alloc, and the members go on (F5)",
    "[process]") {
  const ScratchGroup group;
  Communicator com(group.options("P0"));
  const Gate joined;
  Child child([&] { return joinWithLittle(group, "P1", joined); });
  // Those that failed late were members for a moment; the last one's view is without them.
  child.awaitOpen(joined);
  CHECK(allOperations(com) == "");
  CHECK(child.report() == "");
  for (int i = 0; i < 20; ++i) const Communicator next(group.options("P2"));  // of 16 slots none is lost
}
