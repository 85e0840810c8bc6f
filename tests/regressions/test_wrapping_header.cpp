// Found by the fuzz target `attach`: a header whose sizes are so large that the segment's length wraps round to
// one that the file has, with the right checksum, was believed, and whoever joined crashed on its first look at a
// mailbox far outside of the mapping. So was one with fewer cells or bytes than Options allow, which leaves the
// outboxes unaligned. Remedy: the header's sizes must be such as Options allow.

#include <fcntl.h>

#include "ipc/segment/shm_file.hpp"
#include "tests/support/catch.hpp"

using namespace ronde;
using namespace ronde::detail;

TEST_CASE("a header whose sizes wrap round, or are too small, is refused as damaged (P6)") {
  SegmentHeader header{};
  header.magic = kMagic;
  header.layoutVersion = kLayoutVersion;
  header.headerBytes = sizeof(SegmentHeader);
  header.fingerprint = layoutFingerprint();
  header.capacity = 4;
  header.expected = 2;
  header.mailboxMessages = 64;
  header.maxMessage = 64 * 1024;
  header.mailboxBytes = header.outboxBytes = 64 * 1024;
  std::uint64_t SegmentHeader::*const odd =
      GENERATE(as<std::uint64_t SegmentHeader::*>{}, &SegmentHeader::mailboxBytes, &SegmentHeader::outboxBytes);
  header.*odd = GENERATE(std::uint64_t{1} << 62, std::uint64_t{64});
  header.segmentBytes = Geometry::of(header).segmentBytes();
  REQUIRE(header.segmentBytes < 4 << 20);  // also with four blocks of 2^62 bytes
  header.checksum = checksum(&header, offsetof(SegmentHeader, checksum));

  const Descriptor file(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  REQUIRE(file.get() >= 0);
  REQUIRE(ftruncate(file.get(), static_cast<off_t>(header.segmentBytes)) == 0);
  REQUIRE(pwrite(file.get(), &header, sizeof(header), 0) == sizeof(header));
  try {
    static_cast<void>(readHeader(file.get(), "a file"));
    FAIL("the header is believed");
  } catch (const Error& error) {
    CHECK(error.errc() == Errc::corruptSegment);
  }
}
