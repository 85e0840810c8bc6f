#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ronde/types.hpp>
#include <ronde/view.hpp>
#include <type_traits>

#include "ipc/sync/cpu_set.hpp"
#include "ipc/sync/slot_lock.hpp"
#include "ipc/sync/wake_word.hpp"

// Every structure that processes share. Bytes only: fixed-width lock-free atomics, indices and offsets, never
// pointers. A type here ends in State, Header, Cell or Entry; the handle that works on it (Mailbox, Views, …) is
// private to a process and lives elsewhere.
//
//   The segment
//   0          +------------------------------------------------------+
//              | SegmentHeader: geometry, written once before publish |
//   4096       +------------------------------------------------------+
//              | ControlState: locks, view epoch, token, barrier      |
//   24576      +------------------------------------------------------+
//              | CellState[32]: values of FencedCell                  |
//   45056      +------------------------------------------------------+
//              | ViewState[8]: the last eight views                   |
//   +8*30720   +------------------------------------------------------+
//              | SlotTableState[capacity]: registration, heartbeat    |
//              +------------------------------------------------------+
//              | block[capacity]: MailboxState, cells, payload area,  |
//              |                  OutboxState, outbox blocks and area |
//              +------------------------------------------------------+
//
// Words that different processes write lie at least 128 bytes apart (adjacent lines are fetched in pairs).
namespace ronde::detail {

inline constexpr std::size_t kLine = 64;
inline constexpr std::size_t kPair = 128;
inline constexpr std::size_t kPage = 4096;

using Word64 = std::atomic<std::uint64_t>;
static_assert(Word64::is_always_lock_free && sizeof(Word64) == 8);

// ---------------------------------------------------------------------------------------------- header

inline constexpr std::uint64_t kMagic = 0x31'65'64'6e'6f'72'5f'5fULL;  // "__ronde1"
inline constexpr std::uint32_t kLayoutVersion = 3;

/// What the creator decides for all, and what tells two builds apart. Written before the segment has a name, never
/// after: no process sees it unfinished. Copied to private memory and checked at attach; never read again.
struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t layoutVersion;
  std::uint32_t headerBytes;
  std::uint64_t fingerprint;  ///< of the sizes and alignments in this file
  std::uint64_t segmentBytes;
  std::uint32_t capacity;  ///< slots
  std::uint32_t expected;  ///< size of the founding cohort
  std::uint32_t mailboxMessages;
  std::uint32_t silencePolicy;
  std::uint64_t mailboxBytes;
  std::uint64_t maxMessage;
  std::uint64_t outboxBytes;
  std::uint64_t heartbeatIntervalNs;
  std::uint64_t heartbeatTimeoutNs;
  std::uint32_t creatorPid;
  std::uint32_t creatorUid;
  ShortName group;
  std::uint64_t checksum;  ///< of all bytes before it
};
static_assert(sizeof(SegmentHeader) == 136);
static_assert(offsetof(SegmentHeader, fingerprint) == 16);
static_assert(offsetof(SegmentHeader, group) == 96);

// ---------------------------------------------------------------------------------------------- control

/// Packed token word. A single word, so there is exactly one token: it cannot be lost or doubled, only its holder
/// can be gone. Who writes: the holder (release), a requester (takes a reserve; bumps `repair` when it gives up),
/// and whoever installs a view (bumps `repair`, and moves the token if its holder left). All by CAS. What a death
/// leaves: the token with the dead; the view change moves it.
struct Token {
  std::uint64_t fence;   ///< 42 bits: number of the last grant
  std::uint32_t repair;  ///< 11 bits: invalidates hand-overs decided before a view change or a withdrawal
  bool held;             ///< in the section; otherwise in reserve: any member may take it
  std::uint32_t holder;  ///< 10 bits: slot + 1; 0 = nobody yet

  static constexpr std::uint64_t kMaxFence = (1ULL << 42) - 1;

  [[nodiscard]] static Token unpack(std::uint64_t word) {
    return {word >> 22, static_cast<std::uint32_t>((word >> 11) & 0x7ff), ((word >> 10) & 1) != 0,
            static_cast<std::uint32_t>(word & 0x3ff)};
  }
  [[nodiscard]] std::uint64_t pack() const {
    return (fence << 22) | (std::uint64_t{repair & 0x7ff} << 11) | (std::uint64_t{held} << 10) | holder;
  }
};

/// One failed barrier round. Under the barrier's lock.
struct BarrierFailureEntry {
  std::uint64_t round;
  std::uint64_t startView;                ///< number of the view in which the round began
  std::uint64_t failView;                 ///< number of the view that failed it
  std::uint64_t slots[kMaxMembers / 64];  ///< the members concerned
};
static_assert(sizeof(BarrierFailureEntry) == 88);

inline constexpr int kBarrierFailures = 8;

/// The barrier. Everything except `round`, and one's own `verdict` once `round` has come, is read and written
/// under `lock`. `round` is the commit: waiters spin on it without the lock. Before it advances past a failed
/// round, the verdict of each participant is in `verdict`; a passed round writes none. What a death leaves:
/// arrivals are one store each, and their number is counted anew by every arrival, so there is nothing to repair:
/// a holder that dies before `round` advances leaves a round that the next visitor completes.
struct alignas(kPair) BarrierState {
  SlotLock lock;
  std::uint32_t needed;     ///< N of the round, 0 before its first arrival
  std::uint64_t everybody;  ///< 1: the round is of all members of `startView`
  std::uint64_t startView;
  alignas(kPair) Word64 round;  ///< number of the last round that ended; on a line of its own: waiters spin on it
  alignas(kPair) std::uint64_t arrived[kMaxMembers];  ///< per slot: last round it arrived at
  std::uint64_t verdict[kMaxMembers];                 ///< per slot: failed round << 8 | Status
  BarrierFailureEntry failures[kBarrierFailures];     ///< round r in entry r % 8
};
static_assert(offsetof(BarrierState, round) == 128);
static_assert(offsetof(BarrierState, arrived) == 256);

struct ControlState {
  /// Protects slot states JOINING -> ACTIVE -> DEPARTED, arrival stamps, and the installation of views.
  alignas(kPair) SlotLock registryLock;
  /// Protects the clean-up after a view change; ranks before the mailbox locks (see ipc/README.md).
  alignas(kPair) SlotLock cleanupLock;
  /// Number of the current view, the one commit of every view change. Written under registryLock. Read by anyone.
  alignas(kPair) Word64 viewNumber;
  /// The last view whose clean-up is complete. Written under cleanupLock.
  Word64 cleanedView;
  alignas(kPair) Word64 token;
  /// Per slot: this member waits for the token. Written by the member only; read by whoever passes the token on.
  alignas(kPair) std::atomic<std::uint8_t> wants[kMaxMembers];
  BarrierState barrier;
};
static_assert(offsetof(ControlState, cleanupLock) == 128);
static_assert(offsetof(ControlState, viewNumber) == 256);
static_assert(offsetof(ControlState, token) == 384);
static_assert(offsetof(ControlState, wants) == 512);
static_assert(offsetof(ControlState, barrier) == 1024);

// ---------------------------------------------------------------------------------------------- fenced cells

inline constexpr int kCells = 32;

/// A FencedCell. `name` and `size` are written under registryLock, `name` last, and never change then.
/// `version` is the one commit of a write: fence << 22 | count of writes, whose low bit names one of the two
/// values. Writers hold `lock` and fill the other value first; readers copy the named one and look at `version`
/// again. What a death leaves: the last committed value.
struct alignas(kPair) CellState {
  SlotLock lock;
  std::uint32_t size;
  Word64 named;    ///< 1 once name and size are valid
  Word64 version;  ///< 0: never written
  ShortName name;
  alignas(kLine) std::uint64_t values[2][24];  ///< 192 bytes each
};
static_assert(sizeof(CellState) == 512);

// ---------------------------------------------------------------------------------------------- views

struct ViewEntry {
  std::uint32_t slot;
  std::uint32_t incarnation;
  std::uint64_t arrival;  ///< CLOCK_MONOTONIC ns at registration; orders the ids
  ShortName name;
};
static_assert(sizeof(ViewEntry) == 48);

struct DepartureEntry {
  std::uint32_t slot;
  std::uint32_t incarnation;
  std::uint64_t view;
  std::uint64_t reason;
  ShortName name;
};
static_assert(sizeof(DepartureEntry) == 56);

inline constexpr int kRememberedViews = 8;

/// View n lies in buffer n % 8. Written under registryLock before viewNumber becomes n; valid until viewNumber
/// becomes n + 7 (the writer of n + 8 may then start). Readers copy it word by word without the lock, then check
/// that. What a death leaves: a half-written buffer that viewNumber does not name.
struct alignas(kPage) ViewState {
  std::uint64_t number;
  std::uint32_t members;
  std::uint32_t departures;
  ViewEntry member[kMaxMembers];
  DepartureEntry departed[View::kRememberedDepartures];  ///< oldest first
};
static_assert(sizeof(ViewState) == 28672);

// ---------------------------------------------------------------------------------------------- slots

enum class Phase : std::uint32_t { free = 0, joining, active, departed };

/// Packed state word of a slot.
struct SlotWord {
  std::uint32_t incarnation;
  Phase phase;
  Departure departure;  ///< valid in phase departed

  [[nodiscard]] static SlotWord unpack(std::uint64_t word) {
    return {static_cast<std::uint32_t>(word >> 32), static_cast<Phase>(word & 0xff),
            static_cast<Departure>((word >> 8) & 0xff)};
  }
  [[nodiscard]] std::uint64_t pack() const {
    return (std::uint64_t{incarnation} << 32) | (static_cast<std::uint64_t>(departure) << 8) |
           static_cast<std::uint64_t>(phase);
  }
};

/// One line of the registration table. Three groups of lines:
///  - who it is: `word` is written by the joiner while it holds the slot's file lock (free -> joining) and else
///  under
///    registryLock; the rest by the joiner before it becomes active. Read by anyone; valid while `word` says
///    active.
///  - signs of life: heartbeat words by the owner's service thread only (`tokenFrom` by whoever passes the token);
///  `life` by that thread and, when the thread
///    ends in whatever way, by the kernel (FUTEX_OWNER_DIED). A joiner resets them before it becomes active.
///  - where its threads sleep: written by anyone through WakeWord.
/// What a death leaves: phase joining or active, the file lock free, OWNER_DIED in `life`. A joiner's slot is
/// taken by the next joiner, a member's is moved to departed by the next view change.
struct alignas(512) SlotTableState {
  Word64 word;
  Word64 joinedView;    ///< number of the first view with this incarnation; 0 while in none
  Word64 departedView;  ///< valid in phase departed: number of the first view without it; 0 if it was in none
  std::uint64_t pidNamespace;
  std::uint64_t startTime;  ///< field 22 of /proc/pid/stat: tells a reused pid
  std::uint32_t pid;
  std::uint32_t unused;
  std::uint64_t arrival;
  ShortName name;
  CpuSet cpus;  ///< where the thread that joined might run at that time

  alignas(kPair) Word64 beats;
  Word64 beatAtNs;  ///< of the last beat, CLOCK_MONOTONIC; written before `beats`
  Word64 clock;
  Word64 sent;
  Word64 received;

  Word tokenFrom;  ///< slot + 1 of whoever passed the token to this member last; for display only

  alignas(kPair) Word life;  ///< 0, or the service thread's id | FUTEX_WAITERS; FUTEX_OWNER_DIED after its death

  alignas(kPair) WakeWord doorbell;  ///< the member's calls sleep here
  alignas(kLine) WakeWord service;   ///< its service thread sleeps here
};
static_assert(sizeof(SlotTableState) == 512);
static_assert(offsetof(SlotTableState, beats) == 128);
static_assert(offsetof(SlotTableState, life) == 256);
static_assert(offsetof(SlotTableState, doorbell) == 384);

// ---------------------------------------------------------------------------------------------- mailbox

/// How a cell's payload is stored.
enum class CellForm : std::uint8_t {
  inlined = 1,  ///< in the cell
  area,         ///< in the mailbox's payload area, at position `extent`
  car,          ///< a part of a longer message (a train), in the payload area; `inlineBytes` is a TrainPart
  reference,    ///< in the sender's outbox; `extent` is the position of its block
  copy,         ///< as in `area`, of a block in the sender's outbox; `inlineBytes` is a CopiedBlock
};

/// One record of a mailbox: a cache line, so that a message of up to 16 bytes moves one line.
/// `commit` equals the record's position + 1 once it is complete: its release store is the one commit. Written by
/// the holder of the producers' lock; read by the owner. Positions never repeat, and cells never hold payload of
/// other records, so a stale cell cannot look committed.
struct alignas(kLine) MailCell {
  Word64 commit;
  std::uint64_t stamp;  ///< Lamport clock of the send
  std::uint32_t length;
  std::uint16_t sender;  ///< slot
  std::uint8_t kind;     ///< ronde::Kind
  CellForm form;
  std::uint32_t incarnation;  ///< of the sender
  std::uint32_t view;         ///< low 32 bits of the view number at sending
  std::uint64_t extent;
  std::uint64_t sequence;  ///< number of the send call in the sender
  std::byte inlineBytes[16];
};
static_assert(sizeof(MailCell) == 64);

struct TrainPart {
  std::uint32_t total;   ///< length of the whole message
  std::uint32_t offset;  ///< of this part
  std::uint64_t unused;
};
static_assert(sizeof(TrainPart) == sizeof(MailCell::inlineBytes));

/// Of which block a record carries a copy, so that its addressee need not fetch the block itself: only its share,
/// which decides whether the message is delivered.
struct CopiedBlock {
  std::uint64_t position;
  std::uint64_t unused;
};
static_assert(sizeof(CopiedBlock) == sizeof(MailCell::inlineBytes));

/// A ring of cells and a ring of payload bytes. Positions count up for ever; index = position % size.
///  - producers' line: under `producers`. What a death leaves: `tail` (and `tailByte`) behind the last committed
///  cell;
///    every producer first steps over cells that are already committed, so there is no repair.
///  - consumer's line: the owner only; producers read it. Always true, at worst late. `complaint` is set by a
///  producer that found positions which no member writes; the owner empties the mailbox at its next look.
///  - room: where producers sleep until the owner has taken something.
struct MailboxState {
  alignas(kPair) SlotLock producers;
  std::uint32_t unused;
  Word64 tail;
  Word64 tailByte;
  std::uint64_t knownHead;  ///< producers' copy of `head`, so that they look at the owner's line rarely
  std::uint64_t knownHeadByte;
  Word64 refused;  ///< messages dropped or refused for want of room
  alignas(kPair) Word64 head;
  Word64 headByte;
  Word64 complaint;
  alignas(kPair) WakeWord room;
};
static_assert(sizeof(MailboxState) == 384);
static_assert(offsetof(MailboxState, tail) == 8);
static_assert(offsetof(MailboxState, head) == 128);
static_assert(offsetof(MailboxState, room) == 256);

// ---------------------------------------------------------------------------------------------- outbox

/// Life of an outbox block. The owner takes it from writing by committed to handedOver; the clean-up after the
/// owner's departure from committed by adopted to handedOver, and only adopts in its first pass, so that what an
/// evicted owner commits later is never delivered. All by CAS: whoever leaves `committed` first decides who
/// delivers.
enum class BlockPhase : std::uint32_t {
  writing = 1,  ///< nobody may have heard of it: a death here means that nobody gets it
  committed,    ///< the intent: from here on every living addressee gets it, whoever has to deliver it
  adopted,      ///< its owner departed; the clean-up delivers it to everybody who still is owed it
  handedOver,   ///< nobody delivers it any more; kept until all who are owed it have taken it
};

/// What one addressee has done about a block, packed as block position << 2 | state: positions never repeat, not
/// even across owners of the slot, so a word left over from an earlier use of the place means nothing. CAS by the
/// addressee (owed -> claimed) against the sender (owed -> withdrawn) decides whether the message is delivered, so
/// both sides always agree. `claimed` keeps the block while the addressee copies it; `taken` gives it back.
enum class Share : std::uint32_t { withdrawn = 0, owed, claimed, taken };
using ShareWord = std::atomic<std::uint32_t>;

[[nodiscard]] inline std::uint32_t packShare(std::uint64_t position, Share share) {
  return (static_cast<std::uint32_t>(position) << 2) | static_cast<std::uint32_t>(share);
}

/// One message in an outbox; the shares of all slots follow it (rounded up to a line). Blocks lie in a table of
/// their own, apart from payload, so that a late reader's CAS on a share can never hit bytes of another message.
/// `phase` = writing is stored before OutboxState::tail covers the block; the rest before `committed`.
struct alignas(kLine) BlockHeader {
  std::atomic<BlockPhase> phase;
  std::uint32_t length;     ///< of the payload
  std::uint64_t payloadAt;  ///< position in the outbox area
  std::uint64_t stamp;
  std::uint64_t view;
  std::uint64_t sequence;
  std::uint32_t kind;
  std::uint32_t unused;
};
static_assert(sizeof(BlockHeader) == 64);

inline constexpr std::uint64_t kOutboxBlocks = 64;

/// A ring of blocks, and an area of payload bytes. Positions count up for ever. `tail`, `head`: the owner only;
/// the next owner of the slot goes on from `tail`. What a death leaves: blocks between head and tail in any phase;
/// the clean-up delivers the committed ones.
struct OutboxState {
  alignas(kPair) Word64 head;
  Word64 tail;
};
static_assert(sizeof(OutboxState) == 128);

// ---------------------------------------------------------------------------------------------- geometry

/// Where everything lies, computed from the header's numbers. Private memory; the same in every process.
struct Geometry {
  std::uint32_t capacity = 0;
  std::uint32_t expected = 0;
  std::uint32_t mailboxMessages = 0;
  std::uint64_t mailboxBytes = 0;
  std::uint64_t maxMessage = 0;
  std::uint64_t outboxBytes = 0;

  static constexpr std::size_t kControlAt = 4096;
  static constexpr std::size_t kCellsAt = 24576;
  static constexpr std::size_t kViewsAt = 45056;
  static constexpr std::size_t kSlotsAt = kViewsAt + kRememberedViews * sizeof(ViewState);

  [[nodiscard]] static Geometry of(const SegmentHeader& header) {
    return {header.capacity,     header.expected,   header.mailboxMessages,
            header.mailboxBytes, header.maxMessage, header.outboxBytes};
  }
  [[nodiscard]] std::size_t blocksAt() const;
  /// Bytes of a slot's block.
  [[nodiscard]] std::size_t blockBytes() const;
  [[nodiscard]] std::size_t blockAt(std::uint32_t slot) const { return blocksAt() + slot * blockBytes(); }
  [[nodiscard]] std::size_t segmentBytes() const { return blocksAt() + capacity * blockBytes(); }
  /// Bytes of one outbox block: header and shares.
  [[nodiscard]] std::size_t outboxBlockBytes() const {
    return sizeof(BlockHeader) + (capacity * sizeof(ShareWord) + kLine - 1) / kLine * kLine;
  }
};
static_assert(Geometry::kControlAt + sizeof(ControlState) <= Geometry::kCellsAt);
static_assert(Geometry::kCellsAt + kCells * sizeof(CellState) <= Geometry::kViewsAt);
static_assert(Geometry::kViewsAt % kPage == 0 && Geometry::kSlotsAt % kPage == 0);

/// Differs between builds whose shared structures differ.
[[nodiscard]] std::uint64_t layoutFingerprint() noexcept;

/// FNV-1a over bytes; for the header only.
[[nodiscard]] std::uint64_t checksum(const void* bytes, std::size_t size) noexcept;

/// Copies `size` bytes (a multiple of 8) from or to shared memory word by word, each word atomically: a concurrent
/// writer can mix old and new words, which the caller's version check then finds, but never tears one.
inline void loadShared(void* to, const void* sharedFrom, std::size_t size) noexcept {
  // The structures copied here hold words of several types. Those in the segment are aligned; a copy need not be.
  using AliasWord [[gnu::may_alias]] = std::uint64_t;
  const auto* source = static_cast<const AliasWord*>(sharedFrom);
  for (std::size_t i = 0; i < size / 8; ++i) {
    // Acquire: the caller's version check must not move in front of the copies.
    const std::uint64_t word = __atomic_load_n(source + i, __ATOMIC_ACQUIRE);
    std::memcpy(static_cast<std::byte*>(to) + i * sizeof(word), &word, sizeof(word));
  }
}

inline void storeShared(void* sharedTo, const void* from, std::size_t size) noexcept {
  using AliasWord [[gnu::may_alias]] = std::uint64_t;
  auto* target = static_cast<AliasWord*>(sharedTo);
  for (std::size_t i = 0; i < size / 8; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, static_cast<const std::byte*>(from) + i * sizeof(word), sizeof(word));
    // Release: no word may become visible before the version that allowed overwriting it.
    __atomic_store_n(target + i, word, __ATOMIC_RELEASE);
  }
}

}  // namespace ronde::detail
