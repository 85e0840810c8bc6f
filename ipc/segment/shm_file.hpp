#pragma once

#include <cstdint>
#include <optional>
#include <ronde/options.hpp>
#include <string>
#include <string_view>

#include "ipc/segment/descriptor.hpp"
#include "ipc/segment/layout.hpp"
#include "ipc/sync/deadline.hpp"

// The segment as a file: its name, its publication, and the kernel locks that tell who lives. Everything here
// works on descriptors; the mapping is in segment.hpp.
//
// Locks (open-file-description locks, so that several members in one process do not release each other's):
//   byte 0          every member holds it shared; whoever gets it exclusively knows that nobody lives here
//   byte 1          held exclusively by whoever removes the file's name
//   byte 16 + slot  the member in that slot holds it exclusively; the kernel frees it when the process is gone,
//                   across pid namespaces
namespace ronde::detail {

/// "ronde.<uid>.<group>", to be found in /dev/shm.
[[nodiscard]] std::string segmentName(std::string_view group);
[[nodiscard]] std::string segmentPath(std::string_view name);

/// Makes the segment of `options.group` and gives it its name. Built without a name, its space reserved,
/// completed, then linked: nobody sees an unfinished one, and a creator that dies leaves none. Returns the
/// descriptor, which holds byte 0 shared until it is closed, or none if another creator is at it or was faster:
/// look at the name again. Creators pass one at a time, so that a hundred that start together do not reserve
/// memory a hundred times; `patient` = false ends that courtesy, which nothing else depends on.
/// @throws Error(noSpace) with needed and free bytes; Error(system).
[[nodiscard]] Descriptor createSegmentFile(const Options& options, bool patient);

/// Reserves the memory of `slot`'s block, so that no later access can hit a full /dev/shm (SIGBUS).
/// @throws Error(noSpace).
void reserveBlock(int fd, const Geometry& geometry, std::uint32_t slot);

/// Throws Error(refusedSegment) if `path` names something else than a regular file.
void refuseIrregular(const std::string& path);

/// Throws Error(refusedSegment) unless `fd` is a regular file, ours, and closed to others.
void refuseForeign(int fd, const std::string& path);

/// Reads and checks the header. Nothing if the file is no ronde segment at all.
/// @throws Error(corruptSegment), if it is one that contradicts itself.
[[nodiscard]] std::optional<SegmentHeader> readHeader(int fd, const std::string& path);

/// True if the header is of this build's layout.
[[nodiscard]] bool sameLayout(const SegmentHeader& header) noexcept;

/// True if `path` still names the file of `fd`.
[[nodiscard]] bool namesFile(const std::string& path, int fd) noexcept;

enum class FileLock : short { none, shared, exclusive };
/// Sets the lock on one byte without waiting; false if another description holds a conflicting one.
[[nodiscard]] bool setFileLock(int fd, long byte, FileLock kind) noexcept;
/// True if another description holds any lock on the byte.
[[nodiscard]] bool isFileLocked(int fd, long byte) noexcept;
/// True if it is certain that none of the descriptors of the process `pid` (in our pid namespace) holds the
/// exclusive lock on the byte, as /proc/<pid>/fdinfo says. False also if that cannot be read: of a process that is
/// not dumpable, or whose first thread has ended.
[[nodiscard]] bool lacksFileLock(std::uint32_t pid, int fd, long byte) noexcept;

inline constexpr long kMembersByte = 0;
inline constexpr long kNameByte = 1;
[[nodiscard]] inline long slotByte(std::uint32_t slot) { return 16 + static_cast<long>(slot); }

/// Removes `path` if it names the file `fd`. False also while another process is doing that.
bool unlinkIfNamed(int fd, const std::string& path) noexcept;

/// Removes `path` if nobody lives in the segment `fd` and the name is still its. Returns whether it did.
bool removeIfDeserted(int fd, const std::string& path) noexcept;

/// removeIfDeserted() on every segment of this user. Returns how many went.
int removeDesertedSegments();

}  // namespace ronde::detail
