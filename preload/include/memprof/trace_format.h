// The memprof trace file, format version 1. This header alone defines it; the preload library writes it and the
// analyzer reads it, and the two share nothing else. All integers are little-endian.
//
// A file is a header page followed by pages of one fixed power-of-two size (FileHeader::page_size, 16 KiB as
// written today). Page k lies at byte k * page_size. Page 0 is the FileHeader. A page is claimed with one atomic
// step of FileHeader::page_count, belongs to one stream and carries a 64-byte PageHeader:
//
//     page 0        page 1            page 2            page 3
//     +----------+  +--------------+  +--------------+  +--------------+
//     |FileHeader|  |PageHeader    |  |PageHeader    |  |PageHeader    |
//     |  fixed   |  | metadata     |  | events       |  | stacks       |   ...  any order, any number
//     |  live    |  | records      |  | of thread 1  |  | nodes        |
//     +----------+  +--------------+  +--------------+  +--------------+
//
// PUBLICATION. The payload of a page is its bytes [64, 64 + used). The writer stores a record, then `used` with
// release, so a reader that loads `used` with acquire sees whole records only. Bytes past `used` mean nothing.
// A file may end inside its last claimed pages, and a claimed page may never have been written (state is zero):
// both are normal for a process that died. A sealed page carries the XXH3-64 of its first
// 64 + used bytes as they were while it was open (state open, checksum zero); an open page carries none and is read
// up to `used`. FileHeader's fixed part carries its own.
//
// STREAMS. (kind, stream_id) names a stream, `sequence` orders its pages from 0. A thread normally has one events
// stream and one stacks stream; a signal handler that interrupts the recorder writes streams of its own with the
// same thread_serial. thread_serial counts the threads of the process from 1 (kernel ids are reused, serials not).
//
// DECODING STARTS AFRESH AT EVERY PAGE: no record depends on another page, except that events name stack nodes by
// id, and nodes name parents and modules by id. A node's record is published before any event names it.
//
// TIME is counted in ticks of FileHeader::clock. PageHeader::base_ticks with base_monotonic_ns (read together when
// the page was claimed), the header's start pair and its end pair are calibration points: ns = linear between the
// first and the last of them. Ticks in events are quantised to units of 1 << time_shift ticks: a free rounds down,
// an allocation up, both clamped to be monotone inside a stream. A free is stamped before the real free, an
// allocation after the real allocation, a realloc carries both ends. So free(p) on one thread sorts before the next
// alloc(p) on another, up to the nanoseconds by which a processor may reorder two stamps.
//
// STACKS are a trie: a node is (parent node, module, address), its id is unique in the process, ids grow by one
// from kFirstNode. The parents kRootWhole, kRootDepthLimit and kRootGaveUp say how the outermost frame was reached
// (see below); everything under the latter two is a truncated stack. An address is the return address of the frame
// (look up address - 1, except in the frame that a signal interrupted, whose node has kNodeExactAddress), given as
// the ELF virtual address inside its module (process address - load_bias), or as the process address when the
// module is kNoModule (code that no loaded object covers: JIT code, hand-mapped code). Because a module id names
// one load of one file, a node stays true after dlclose and reuse of the addresses. Two nodes may be equal when two
// threads met the same new frame at the same instant; readers merge them.
//
//   Stacks page payload, one record per node, LEB128 varints (7 bits a byte, low first, top bit = more):
//     varint id - previous id in this page (first: id itself)              always >= 1, so never a zero byte
//     varint id - parent
//     varint module << 1 | kNodeExactAddress
//     varint address
//
//   Example: 11 0f 06 d0 22 01 01 06 84 24
//     node 17, parent 2 (kRootWhole), module 3, address 0x1150; node 18, parent 17, module 3, address 0x1204.
//
// MODULES, METADATA and SAMPLES pages hold RecordHeaders, each followed by `bytes` bytes of payload, padded with zeros
// to a multiple of 8. A record with `flags & kRecordContinues` is carried on by the next record of the same type in
// the same stream: join the payloads. Readers skip types that they do not know.
//
// SAMPLES say how much memory the kernel gives the process: one stream, records of type SampleRecord::memory, each a
// MemorySample of fixed width. They are taken seldom and at no fixed distance, when a thread claims a page; between two
// nothing is known. A process that may make no system calls, or has no /proc, has none.
//
//   Example, 120 bytes: 01 00 00 00  70 00 00 00   type 1, no flags, 112 bytes follow
//                       40 42 0f 00 00 00 00 00    ticks 1,000,000
//                       98 3a 00 00 00 00 00 00    the kernel took 15,000 ns to answer
//                       00 00 40 00 00 00 00 00    4 MiB mapped, ...
//
//   A later library may append fields to a MemorySample: a reader takes those that it knows of a longer record. A
//   shorter one is damaged.
//
// SNAPSHOT pages hold RecordHeaders as well: which words of the process's memory could point to blocks at one moment,
// and where they lay; see "Snapshots" below. Each snapshot is a stream. One without an `end` record is not whole.
//
// SYMBOLS pages hold RecordHeaders as well. They say what stack nodes are in the source. Never the recorder writes them
// but a program that makes a trace of another one where its binaries are, so that the new one reads the same without
// them; see "Symbols" below. Each record can be read alone. Where two tell of one thing, the first in the order of
// streams and pages counts.
//
// EVENTS pages: see "Event records" below, after the constants that they use.
//
// A trace may be packed: compressed_trace.h.
//
// VERSIONS. format_version grows by one whenever a reader of the old version would misread a new file: a changed
// field, a changed token, a new meaning. New page kinds, new record types, new tags, new drop causes and use of
// reserved zero bytes do not: readers skip or name what they do not know. Readers read every version released, each
// with a golden trace in tests/golden/.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memprof::format {

inline constexpr unsigned char kMagic[8] = {0x89, 'M', 'E', 'M', 'P', 'R', 'O', 'F'};
inline constexpr uint32_t kVersion = 1;
inline constexpr uint32_t kEndianTag = 0x01020304;
inline constexpr uint32_t kMinPageSize = 4096;
inline constexpr uint32_t kMaxPageSize = 1u << 20;
inline constexpr uint32_t kPageSize = 1u << 14;
// page_count never passes this: the writer stops and marks the file invalid instead of wrapping.
inline constexpr uint64_t kMaxPages = 1ull << 32;
// Set in page_count when the file was closed: it was cut to its claimed pages and a few to spare.
inline constexpr uint64_t kPageCountClosed = 1ull << 63;

// ---- FileHeader ----------------------------------------------------------------------------------------------

enum class Clock : uint32_t { tsc = 1, monotonic = 2 };  // monotonic: ticks are CLOCK_MONOTONIC nanoseconds

enum FileFlags : uint32_t {
  kForkChild = 1,   // recorded in a forked child: blocks born before fork_ticks are inherited
  kLateStart = 2,   // recording began after the program did, or was paused at some time (set when it happens)
  kFiltered = 4,    // MEMPROF_FILTER was in force: frees of blocks that it left out are in the trace
  kFreeStacks = 8,  // frees carry stacks
};

enum class EndState : uint32_t {
  running = 0,  // or died without a word: signal, power
  exit = 1,
  quick_exit = 2,
  immediate_exit = 3,  // _exit, _Exit
  exec = 4,
  detached = 5,  // the recorder was taken off the program, which went on
};

enum class DropCause : uint32_t {
  nested = 0,        // more signal handlers deep inside the recorder than it has states for
  no_space = 1,      // ENOSPC or EDQUOT
  file_limit = 2,    // RLIMIT_FSIZE
  trace_limit = 3,   // MEMPROF_LIMIT
  file_lost = 4,     // the program closed the descriptor and the path no longer leads to the file
  no_memory = 5,     // no address space for the recorder's own state
  io_error = 6,      // any other failure to grow or map the file
  table_full = 7,    // a page, node or thread counter reached its limit
  no_syscalls = 8,   // a seccomp filter forbids what growing the file needs
  after_end = 9,     // other threads, after the file was closed at exit
  interrupted = 10,  // a signal handler jumped out of the recorder: the call's effect stands, its event is lost
  too_large = 11,    // a block or range of more than kMostBlockBytes: no memory has room for it
};
inline constexpr uint32_t kDropCauses = 16;
inline constexpr const char* kDropCauseNames[] = {"nested",      "no_space",  "file_limit",  "trace_limit",
                                                  "file_lost",   "no_memory", "io_error",    "table_full",
                                                  "no_syscalls", "after_end", "interrupted", "too_large"};

// What a program may get wrong in its calls of the client API. The call did nothing then.
enum class Misuse : uint32_t {
  unknown_pool = 0,    // a pool that was never made, or was destroyed
  unknown_block = 1,   // a free of a block that its pool does not hold
  unknown_domain = 2,  // a domain that was never defined, or the one of mappings
  pop_without_push = 3,
  too_many = 4,    // more names, pools or nested tags than there is room for, or blocks in so many domains
  too_large = 5,   // a block of more than kMostBlockBytes
  empty_name = 6,  // of a tag, a type or a domain
};
inline constexpr uint32_t kMisuses = 8;
inline constexpr const char* kMisuseNames[] = {"unknown_pool", "unknown_block", "unknown_domain", "pop_without_push",
                                               "too_many",     "too_large",     "empty_name"};

// Offset 0 of the file. Bytes [0, 192) are fixed when the file is made (flags excepted: see kLateStart, it lives in
// the live part) and covered by `checksum`; the live part is updated in place, each field by atomic stores or adds.
struct FileHeader {
  // fixed part                           offset
  unsigned char magic[8];             //   0
  uint32_t format_version;            //   8
  uint32_t endian_tag;                //  12  kEndianTag
  uint32_t fixed_bytes;               //  16  192: what checksum covers, checksum itself included as zero
  uint32_t page_size;                 //  20  power of two in [kMinPageSize, kMaxPageSize]
  uint32_t pid;                       //  24
  uint32_t parent_pid;                //  28  getppid() at the start; with kForkChild the recorded process
  uint64_t process_start;             //  32  field 22 of /proc/PID/stat: with pid names the process for good; 0 unknown
  uint64_t start_ticks;               //  40  first calibration point, and time 0 of every report
  uint64_t start_monotonic_ns;        //  48
  uint64_t start_realtime_ns;         //  56  CLOCK_REALTIME, since the epoch
  uint64_t nominal_ticks_per_second;  //  64  what the processor says of its clock; 0 unknown. Used where points are too
                                      //  close
  uint64_t fork_ticks;                //  72  kForkChild: when the parent forked (same clock); else 0
  Clock clock;                        //  80
  uint32_t time_shift;                //  84  log2 of ticks a time unit in event records
  uint32_t machine;                   //  88  ELF e_machine
  uint32_t pointer_bits;              //  92  64
  uint32_t max_depth;                 //  96  frames a stack keeps
  uint32_t flags;                     // 100  FileFlags known at the start
  uint64_t memory_page_size;          // 104  of the recorded machine
  uint32_t size_bias;                 // 112  what the allocator adds to a size before it rounds it: see "Event records"
  uint32_t reserved0;                 // 116
  uint64_t pid_namespace;  // 120  inode of /proc/PID/ns/pid: what pid and parent_pid are numbers in; 0 unknown
  uint64_t made_of;      // 128  0: as recorded. Else the trace was made of another one: a hash of its new pages, which
                         //      tells it from others that were made of the same one
  uint64_t run;          // 136  MEMPROF_RUN: equal in all traces of one run; 0: not said
  uint8_t reserved[40];  // 144
  uint64_t checksum;     // 184  XXH3-64 of [0, fixed_bytes) with this field zero

  // live part
  uint8_t gap[64];             // 192
  uint64_t page_count;         // 256  pages claimed, this one included, and kPageCountClosed
  uint8_t gap2[56];            // 264
  EndState end_state;          // 320  stored last, with release, after the end pair
  uint32_t invalid;            // 324  1: a counter reached its limit, the recording stopped there
  uint64_t end_ticks;          // 328  last calibration point; 0 while running
  uint64_t end_monotonic_ns;   // 336
  uint32_t stopped;            // 344  0, or 1 + DropCause: recording ended early for this cause
  uint32_t live_flags;         // 348  FileFlags that became true later
  uint64_t stop_ticks;         // 352  when
  uint64_t verify_checked;     // 360  MEMPROF_VERIFY_STACKS: captures unwound again
  uint64_t verify_mismatches;  // 368  and found different
  uint64_t node_count;         // 376  node ids handed out
  uint64_t thread_count;       // 384  thread serials handed out
  uint64_t recorder_bytes;     // 392  resident memory of the recorder itself, when it closed the file; 0 unknown
  uint64_t last_fork_ns;       // 400  CLOCK_MONOTONIC when the process had last forked; 0 never. For later recordings
  uint64_t begun_pages;  // 408  pages whose state became `open`, added up behind that; 0 unknown. A closed file that
                         //      has fewer has lost some: a hole in it looks like pages that were never written
  uint32_t misuses[kMisuses];            // 416  by Misuse
  uint64_t dropped_events[kDropCauses];  // 448  by DropCause
};
static_assert(offsetof(FileHeader, page_size) == 20);
static_assert(offsetof(FileHeader, process_start) == 32);
static_assert(offsetof(FileHeader, clock) == 80);
static_assert(offsetof(FileHeader, memory_page_size) == 104);
static_assert(offsetof(FileHeader, pid_namespace) == 120);
static_assert(offsetof(FileHeader, made_of) == 128);
static_assert(offsetof(FileHeader, run) == 136);
static_assert(offsetof(FileHeader, checksum) == 184);
static_assert(offsetof(FileHeader, page_count) == 256);
static_assert(offsetof(FileHeader, end_state) == 320);
static_assert(offsetof(FileHeader, stopped) == 344);
static_assert(offsetof(FileHeader, verify_checked) == 360);
static_assert(offsetof(FileHeader, recorder_bytes) == 392);
static_assert(offsetof(FileHeader, begun_pages) == 408);
static_assert(offsetof(FileHeader, misuses) == 416);
static_assert(offsetof(FileHeader, dropped_events) == 448);
static_assert(sizeof(FileHeader) == 576);
inline constexpr uint32_t kFixedBytes = 192;

// ---- PageHeader ----------------------------------------------------------------------------------------------

enum class StreamKind : uint8_t {
  events = 1,
  stacks = 2,
  modules = 3,
  metadata = 4,
  samples = 5,
  snapshot = 6,
  symbols = 7
};
enum class PageState : uint8_t { unwritten = 0, open = 1, sealed = 2 };

inline constexpr uint32_t kPageMagic = 0x4750504d;  // "MPPG"

struct PageHeader {
  uint32_t magic;              //  0  kPageMagic
  StreamKind kind;             //  4
  PageState state;             //  5  stored with release: open after the rest of the header, sealed after checksum
  uint16_t header_bytes;       //  6  64
  uint32_t stream_id;          //  8  unique within its kind, from 1
  uint32_t sequence;           // 12  of this page in its stream, from 0
  uint32_t thread_serial;      // 16  0: of no thread (modules, metadata)
  uint32_t thread_id;          // 20  kernel thread id, 0: of no thread
  uint64_t base_ticks;         // 24  when the page was claimed; a calibration point together with
  uint64_t base_monotonic_ns;  // 32
  uint64_t page_index;         // 40  this page's own number
  uint64_t checksum;           // 48  when sealed: XXH3-64 of [0, 64 + used) with this field 0 and state `open`
  uint32_t used;               // 56  payload bytes published; stored with release after each record
  uint32_t lead_units;         // 60  events: time units by which the page's time 0 precedes base_ticks
};
static_assert(sizeof(PageHeader) == 64);
static_assert(offsetof(PageHeader, thread_serial) == 16);
static_assert(offsetof(PageHeader, base_ticks) == 24);
static_assert(offsetof(PageHeader, checksum) == 48);
static_assert(offsetof(PageHeader, used) == 56);

// ---- Stacks --------------------------------------------------------------------------------------------------

inline constexpr uint32_t kNoStack = 0;         // in an event: none was taken
inline constexpr uint32_t kRootWhole = 2;       // the stack ends where the ABI says that a stack ends
inline constexpr uint32_t kRootDepthLimit = 3;  // cut at FileHeader::max_depth, outer frames unknown
inline constexpr uint32_t kRootGaveUp = 4;      // the unwinder could not go on: no unwind data, or a broken stack
inline constexpr uint32_t kFirstNode = 16;
inline constexpr uint32_t kNoModule = 0;
inline constexpr uint32_t kNodeExactAddress = 1;

// ---- Snapshots -----------------------------------------------------------------------------------------------

// In this order: one `begin`, the threads, and for each range of memory its `range`, the `words` found in it, and the
// `vtables` and `lengths`, which help to tell why a pointer leads into the middle of a block; one `end`. Which words
// lie in a block, in freed memory or in neither, the events tell.
enum class SnapshotRecord : uint16_t { begin = 1, thread = 2, range = 3, words = 4, end = 5, vtables = 6, lengths = 7 };

enum class SnapshotReason : uint32_t { exit = 1, call = 2, signal = 3 };

struct SnapshotBegin {
  uint64_t ticks;  // when all threads that could be stopped were; every event of a stopped thread lies before or behind
  SnapshotReason reason;
  uint32_t threads;        // records of type `thread`
  uint32_t thread_serial;  // 0: unknown; that took it
  uint32_t reserved;
};
static_assert(sizeof(SnapshotBegin) == 24);

enum class SnapshotThreadState : uint32_t {
  taking = 1,   // the thread that took the snapshot
  stopped = 2,  // in a signal handler: `registers` are those of the code that it interrupted
  unseen = 3,   // it could not be stopped: its registers, and where its stack ends, are not known
};
struct SnapshotThread {
  uint32_t thread_id;
  SnapshotThreadState state;
  uint64_t stack_pointer;   // what lies below is no stack; 0: not known
  uint64_t thread_pointer;  // address of the thread control block; 0: not known
  uint64_t registers[32];   // general ones, the machine's order; 0 past the last
};
static_assert(sizeof(SnapshotThread) == 280);

enum class SnapshotRangeKind : uint32_t {
  anonymous = 1,      // mapped without a file
  program_break = 2,  // [heap]
  main_stack = 3,     // [stack]
  file = 4,           // a private mapping of a file: data of a module, most of all
  shared = 5,
};
enum SnapshotRangeFlags : uint32_t {
  kRangeAboveGuard = 1,  // a small mapping that nobody can read lies directly below, as below a thread's stack
};
struct SnapshotRange {
  uint64_t start, end;  // process addresses
  SnapshotRangeKind kind;
  uint32_t flags;
};
static_assert(sizeof(SnapshotRange) == 24);

// `words`: an address (uint64_t, a multiple of the pointer's size), then for each word that could point to a block
//     varint (its address - the last one's) / pointer size        the first: since the record's address
//     varint zigzag(its value - the last one's)                   the first: since the record's address
//
//   Example: 00 10 00 00 00 00 00 00  00 80 40  03 e0 ff 01
//     the word at 0x1000 holds 0x2000, the word at 0x1018 holds 0x5ff0
//
// `vtables`: the words of the range that point to a table of functions (a file's memory whose first two words that are
// not zero, of at most 20, point to a file's code): an address, then for each
//     varint (its address - the last one's) / pointer size        the first: since the record's address
//
// `lengths`: words that could be the length of what lies behind them, in any range: an address, then for each
//     varint zigzag((its address - the last one's) / pointer size)        the first: since the record's address
//     varint its value
//   For each address A with A mod 16 = 8 that one of the range's words points to: A - 8 if it holds a number that is
//   not 0 and no more than the bytes from A to the end of A's range (elements of an array, bytes of what follows), and
//   A - 24 and A - 16 if they hold a length and a capacity that is no less, not 0 and below that (a string whose
//   characters follow). Addresses may come twice.

struct SnapshotEnd {
  uint64_t words;          // of all `words` records
  uint64_t bytes_scanned;  // memory that was resident
  uint64_t pause_ns;       // from the first thread's stop to the moment itself
  uint64_t took_ns;        // in all; at exit the threads stand still as long
};
static_assert(sizeof(SnapshotEnd) == 32);

// ---- Modules and metadata ------------------------------------------------------------------------------------

inline constexpr uint16_t kRecordContinues = 1;

struct RecordHeader {
  uint16_t type;   // ModuleRecord, MetadataRecord or SampleRecord; 0 is never written
  uint16_t flags;  // kRecordContinues
  uint32_t bytes;  // of payload, padding excluded
};
static_assert(sizeof(RecordHeader) == 8);

enum class ModuleRecord : uint16_t { load = 1, unload = 2, recorder = 3 };

// Followed by build_id_bytes of build-id and path_bytes of path (not terminated; absolute where the recorder could
// make it so; "[vdso]" for the kernel's). Written when a stack first meets the module, before any node names it.
struct ModuleLoad {
  uint64_t ticks;           //  0  when first met
  uint64_t start;           //  8  process addresses [start, end) that the object covers
  uint64_t end;             // 16
  uint64_t load_bias;       // 24  process address - ELF virtual address
  uint32_t module_id;       // 32  from 1, one per load of a file
  uint16_t build_id_bytes;  // 36  0: the file has none
  uint16_t path_bytes;      // 38
};
static_assert(sizeof(ModuleLoad) == 40);

struct ModuleUnload {
  uint64_t ticks;
  uint32_t module_id;
  uint32_t reserved;
};
static_assert(sizeof(ModuleUnload) == 16);

// The module is the recorder itself: its frames stand between the program's where a hook calls the program back, or a
// hooked function goes on below the hook. Behind its load record.
struct ModuleOfRecorder {
  uint32_t module_id;
  uint32_t reserved;
};
static_assert(sizeof(ModuleOfRecorder) == 8);

enum class MetadataRecord : uint16_t {
  command = 1,       // the arguments, each ended by a zero byte
  executable = 2,    // path of the program, not terminated
  directory = 3,     // working directory at the start
  setting = 4,       // NAME=VALUE of a memprof setting that the user gave, one record each
  parent_trace = 5,  // path of the trace of the process that forked this one
  mark = 6,          // Mark, followed by its name
  thread_name = 7,   // ThreadName, followed by the name (at the end of the thread, or of the process)
  tag = 8,           // TagDefinition, followed by its name
  domain = 9,        // DomainDefinition, followed by its name
  library = 10,      // version of the recording library, text
  // The recorder writes none of these: they say what is left of another trace. Of several windows the last one counts,
  // several stripped ones add up.
  window = 11,      // Window: only what concerns this time was kept
  stripped = 12,    // Stripped: blocks of all times were left out
  last_event = 13,  // uint64_t: ticks of the last event, which may have been left out
  // Of the recorder again.
  scope_begin = 14,           // ScopeBegin, followed by the scope's name
  scope_end = 15,             // ScopeEnd
  program_start = 16,         // ProgramStart, followed by the program's name
  program_start_failed = 17,  // ProgramStartFailed
  function = 18,              // FunctionDefinition, followed by its name
  type = 19,                  // TypeDefinition, followed by its name
  block_types = 20,           // BlockType, any number: of events pages that were written anew; never the recorder's
  pause = 21,                 // uint64_t: ticks when recording stopped, or when it began without the program's begin
};

struct Mark {
  uint64_t ticks;
  uint32_t thread_serial;
  uint32_t reserved;
};
struct ThreadName {
  uint32_t thread_serial;
  uint32_t thread_id;
};
// A tag number that an event may carry besides the Function numbers: a function within a domain. Its name is the user's
// tag, or the pool's; empty where there is none.
struct TagDefinition {
  uint16_t tag;       // >= kFirstDefinedTag
  uint16_t function;  // Function, or the tag of a FunctionDefinition
  uint16_t domain;    // Domain, or one that a domain record defined
  uint16_t reserved;
};
// A function that the Function numbers lack: of an allocator with an API of its own. Events carry its tag; the name is
// what the program called.
struct FunctionDefinition {
  uint16_t tag;     // >= kFirstDefinedTag
  uint16_t domain;  // Domain, or one that a domain record defined
  uint8_t family;   // Family, or a number >= kFirstDefinedFamily: of definitions with the same number
  uint8_t reserved[3];
};
// A type that the program gives to blocks; see EventExtension::block_type.
struct TypeDefinition {
  uint32_t type;
  uint32_t reserved;
};
struct DomainDefinition {
  uint16_t domain;  // >= kFirstDefinedDomain
  uint16_t reserved[3];
};
// Kept are the events from from_ns on and before to_ns, and the allocations before of the blocks that were open then.
struct Window {
  uint64_t from_ns;  // since the start of the trace
  uint64_t to_ns;    // UINT64_MAX: to its end
};
// Of the blocks that were left out, in all domains.
struct Stripped {
  uint64_t allocations;
  uint64_t bytes;  // asked for
  uint64_t frees;
};
static_assert(sizeof(Window) == 16 && sizeof(Stripped) == 24);
// A stretch of one thread's time with a budget: how much of what the thread allocates meanwhile may have leaked in the
// end. Scopes nest: an end is of the thread's innermost one that is open, and a block counts for the innermost alone. A
// forked child begins outside of all, and has the ends of those that its parent began. Records of one thread may lie
// out of order where a signal handler has scopes: their ticks order them.
//
//   Example, 56 bytes: 0e 00 00 00  25 00 00 00   type 14, no flags, 37 bytes follow
//                      40 42 0f 00 00 00 00 00    ticks 1,000,000
//                      00 04 00 00 00 00 00 00    at most 1,024 bytes
//                      ff ff ff ff ff ff ff ff    in any number of blocks
//                      03 00 00 00 00 00 00 00    of thread 3
//                      70 61 72 73 65 00 00 00    "parse", padding
struct ScopeBegin {
  uint64_t ticks;              //  0  read before the thread's first allocation in it
  uint64_t max_leaked_bytes;   //  8  UINT64_MAX: any number
  uint64_t max_leaked_blocks;  // 16
  uint32_t thread_serial;      // 24
  uint32_t reserved;           // 28
};
struct ScopeEnd {
  uint64_t ticks;  // read after the thread's last allocation in it
  uint32_t thread_serial;
  uint32_t reserved;
};
// A program that took a process over, or is about to: the recorded process itself, a child that shares its memory, or
// one that posix_spawn made. Its trace is that of the process; where there is none, the program was not recorded. A
// forked child tells it in its own trace. The name is what exec or posix_spawn was given, or what the descriptor led
// to; it may be empty.
//
//   Example, 40 bytes: 10 00 00 00  1b 00 00 00   type 16, no flags, 27 bytes follow
//                      40 42 0f 00 00 00 00 00    ticks 1,000,000
//                      e8 03 00 00 00 00 00 00    the process started 1,000 clock ticks after the system
//                      39 30 00 00 00 00 00 00    process 12345
//                      2e 2f 61 00 00 00 00 00    "./a", padding
struct ProgramStart {
  uint64_t ticks;          //  0  before the program began
  uint64_t process_start;  //  8  as in FileHeader
  uint32_t pid;            // 16
  uint32_t reserved;       // 20
};
// The last ProgramStart of the process did not come about: exec returned.
struct ProgramStartFailed {
  uint64_t ticks;
  uint32_t pid;
  uint32_t reserved;
};
static_assert(sizeof(ProgramStart) == 24 && sizeof(ProgramStartFailed) == 16);
static_assert(offsetof(ProgramStart, process_start) == 8 && offsetof(ProgramStart, pid) == 16);
static_assert(sizeof(ScopeBegin) == 32 && sizeof(ScopeEnd) == 16);
static_assert(offsetof(ScopeBegin, max_leaked_bytes) == 8 && offsetof(ScopeBegin, thread_serial) == 24);
struct BlockType {
  uint64_t ticks;
  uint64_t address;
  uint32_t type;
  uint16_t domain;
  uint16_t reserved;
};
static_assert(sizeof(BlockType) == 24);
static_assert(sizeof(Mark) == 16 && sizeof(ThreadName) == 8 && sizeof(TagDefinition) == 8 &&
              sizeof(DomainDefinition) == 8 && sizeof(FunctionDefinition) == 8 && sizeof(TypeDefinition) == 8);

// ---- Samples -------------------------------------------------------------------------------------------------

enum class SampleRecord : uint16_t { memory = 1 };

inline constexpr uint64_t kNotSampled = UINT64_MAX;

// Of the whole process, the recorder and its mapped pages of the trace included. The first numbers are those of
// /proc/PID/statm, which the kernel may hold back a little (tens of pages a thread); those from exact_resident_bytes on
// are the sums of /proc/PID/smaps_rollup, which takes the kernel long: kNotSampled where it was not read or the
// kernel does not tell.
struct MemorySample {
  uint64_t ticks;                 //   0  before the kernel was asked
  uint64_t took_ns;               //   8  how long it took to answer
  uint64_t virtual_bytes;         //  16
  uint64_t resident_bytes;        //  24
  uint64_t file_bytes;            //  32  of the resident: pages of files and of shared memory
  uint64_t exact_resident_bytes;  //  40  Rss
  uint64_t proportional_bytes;    //  48  Pss: each page divided by the number of processes that share it
  uint64_t shared_clean_bytes;    //  56
  uint64_t shared_dirty_bytes;    //  64
  uint64_t private_clean_bytes;   //  72
  uint64_t private_dirty_bytes;   //  80
  uint64_t referenced_bytes;      //  88  pages that were accessed since the kernel last looked for some to evict
  uint64_t anonymous_bytes;       //  96
  uint64_t swap_bytes;            // 104
};
static_assert(sizeof(MemorySample) == 112);
static_assert(offsetof(MemorySample, resident_bytes) == 24);
static_assert(offsetof(MemorySample, exact_resident_bytes) == 40);
static_assert(offsetof(MemorySample, private_dirty_bytes) == 80);
static_assert(offsetof(MemorySample, swap_bytes) == 104);

// ---- Symbols -------------------------------------------------------------------------------------------------

enum class SymbolRecord : uint16_t { module = 1, frames = 2 };

// The best that was found for a module: nothing, the names of its functions, or source lines too.
enum class SymbolDetail : uint32_t { none = 0, symbols = 1, lines = 2 };

// SymbolRecord::module. Followed by name_bytes of name and problem_bytes of text, neither terminated. The name is what
// frames name as their module where that is not the module's path (the map of a JIT compiler's code; kNoModule alone
// has one), the text what a reader should know about missing symbols.
struct SymbolModule {
  uint32_t module_id;      //  0  kNoModule: of the code that no loaded object covers
  SymbolDetail detail;     //  4
  uint32_t name_bytes;     //  8
  uint32_t problem_bytes;  // 12
};
static_assert(sizeof(SymbolModule) == 16);

// SymbolRecord::frames holds LEB128 varints, as stacks pages do: one module's strings, each once, then its addresses.
//     varint module id
//     varint number of strings, then for each: varint length, so many bytes. They are numbered from 1; 0 is no string
//   then to the end of the record, for each address, in rising order:
//     varint address - previous address of this record (first: the address itself): that of the stack node
//     varint number of frames << 1 | kNodeExactAddress as in the node
//     for each frame, innermost first; all but the last were inlined into the one that follows:
//       varint string of the function << 1 | 1 if it was inlined
//       varint string of the file
//       varint line, 0 if it is not known
//
//   Example: 03 02  04 6d 61 69 6e  05 61 2e 63 70 70     module 3; 2 strings: 1 is "main", 2 is "a.cpp"
//            d0 22 02  02 02 0c                          0x1150, 1 frame, return address: main, a.cpp, line 12
//            34 04  03 02 07  02 02 0f                   0x1184, 2 frames: main, line 7, inlined into main, line 15

// ---- Tags ----------------------------------------------------------------------------------------------------

// pool: blocks that lie in blocks or mappings of another domain, which hold them until their pool is reset.
enum class Domain : uint16_t { cpu = 0, mmap = 1, gpu = 2, external = 3, pool = 4 };
inline constexpr const char* kDomainNames[] = {"cpu", "mmap", "gpu", "external", "pool"};
inline constexpr uint16_t kFirstDefinedDomain = 16;

// What a block is freed with must be of the family that it was allocated with: malloc, new or new[].
enum class Family : uint8_t { none, malloc, scalar_new, array_new, mapping };
inline constexpr uint8_t kFirstDefinedFamily = 16;

// The function that the program called. An event's tag is a Function number, or >= kFirstDefinedTag.
enum class Function : uint16_t {
  none = 0,
  malloc = 1,
  calloc = 2,
  realloc = 3,
  reallocarray = 4,
  posix_memalign = 5,
  aligned_alloc = 6,
  memalign = 7,
  valloc = 8,
  pvalloc = 9,
  operator_new = 10,
  operator_new_array = 11,
  free = 12,
  free_sized = 13,
  free_aligned_sized = 14,
  operator_delete = 15,
  operator_delete_array = 16,
  mmap = 17,
  munmap = 18,
  mremap = 19,
  mallocx = 20,
  rallocx = 21,
  xallocx = 22,
  dallocx = 23,
  sdallocx = 24,
  pool_alloc = 25,  // the client API's, as the following
  pool_free = 26,
  pool_reset = 27,
  track_alloc = 28,
  track_realloc = 29,
  track_free = 30,
  mmap_shared = 31,       // MAP_SHARED without a file
  mmap_file = 32,         // a private mapping of a file
  mmap_shared_file = 33,  // MAP_SHARED of a file
  mremap_shared = 34,     // mremap of such, as far as is known: else mremap
  mremap_file = 35,
  mremap_shared_file = 36,
};

struct FunctionInfo {
  Function function;
  const char* name;
  Domain domain;
  Family family;
};
inline constexpr FunctionInfo kFunctions[] = {
    {Function::none, "none", Domain::cpu, Family::none},
    {Function::malloc, "malloc", Domain::cpu, Family::malloc},
    {Function::calloc, "calloc", Domain::cpu, Family::malloc},
    {Function::realloc, "realloc", Domain::cpu, Family::malloc},
    {Function::reallocarray, "reallocarray", Domain::cpu, Family::malloc},
    {Function::posix_memalign, "posix_memalign", Domain::cpu, Family::malloc},
    {Function::aligned_alloc, "aligned_alloc", Domain::cpu, Family::malloc},
    {Function::memalign, "memalign", Domain::cpu, Family::malloc},
    {Function::valloc, "valloc", Domain::cpu, Family::malloc},
    {Function::pvalloc, "pvalloc", Domain::cpu, Family::malloc},
    {Function::operator_new, "new", Domain::cpu, Family::scalar_new},
    {Function::operator_new_array, "new[]", Domain::cpu, Family::array_new},
    {Function::free, "free", Domain::cpu, Family::malloc},
    {Function::free_sized, "free_sized", Domain::cpu, Family::malloc},
    {Function::free_aligned_sized, "free_aligned_sized", Domain::cpu, Family::malloc},
    {Function::operator_delete, "delete", Domain::cpu, Family::scalar_new},
    {Function::operator_delete_array, "delete[]", Domain::cpu, Family::array_new},
    {Function::mmap, "mmap", Domain::mmap, Family::mapping},
    {Function::munmap, "munmap", Domain::mmap, Family::mapping},
    {Function::mremap, "mremap", Domain::mmap, Family::mapping},
    {Function::mallocx, "mallocx", Domain::cpu, Family::malloc},
    {Function::rallocx, "rallocx", Domain::cpu, Family::malloc},
    {Function::xallocx, "xallocx", Domain::cpu, Family::malloc},
    {Function::dallocx, "dallocx", Domain::cpu, Family::malloc},
    {Function::sdallocx, "sdallocx", Domain::cpu, Family::malloc},
    {Function::pool_alloc, "pool_alloc", Domain::pool, Family::none},
    {Function::pool_free, "pool_free", Domain::pool, Family::none},
    {Function::pool_reset, "pool_reset", Domain::pool, Family::none},
    {Function::track_alloc, "track_alloc", Domain::external, Family::none},
    {Function::track_realloc, "track_realloc", Domain::external, Family::none},
    {Function::track_free, "track_free", Domain::external, Family::none},
    {Function::mmap_shared, "mmap-shared", Domain::mmap, Family::mapping},
    {Function::mmap_file, "mmap-file", Domain::mmap, Family::mapping},
    {Function::mmap_shared_file, "mmap-shared-file", Domain::mmap, Family::mapping},
    {Function::mremap_shared, "mremap-shared", Domain::mmap, Family::mapping},
    {Function::mremap_file, "mremap-file", Domain::mmap, Family::mapping},
    {Function::mremap_shared_file, "mremap-shared-file", Domain::mmap, Family::mapping},
};
inline constexpr uint16_t kFunctionCount = sizeof(kFunctions) / sizeof(kFunctions[0]);
inline constexpr uint16_t kFirstDefinedTag = 256;

// ---- Event records -------------------------------------------------------------------------------------------
//
// clang-format off
// An EVENTS page's payload is a sequence of records; a zero byte ends it. Both sides keep one predictor state a page, all
// zero at its start (times excepted), and predict from the last three events what comes next: an event that is as
// predicted takes one byte. The reader updates the state exactly as the writer did.
//
// Time: t counts units of 1 << time_shift ticks and starts a page at (base_ticks >> time_shift) - lead_units. A record
// gives dt, the units since the record before (for a realloc: since the end of that, to the begin of this).
//
// Numbers. pv: prefix varint: the count of leading 1 bits of the first byte is the number of further bytes, the value is
// big-endian in the remaining bits (1 byte: 7 bits, 2: 14, ..., 8: 56, FF + 8 bytes: 64). zz: zigzag of a signed value.
// raw16, raw64: little-endian. A granule is 16 bytes. h(x) = x * 0x9E3779B97F4A7C15 mod 2^64, g(x) = x * 0x9E3779B1 mod 2^32.
//
// State (kEvent... constants below give the sizes):
//   context[512] {kind, a, b, tag}, found at h(history) >> 55. kind 0: nothing; 1: an alloc, stack a, size b;
//                2: a free of the block allocated a allocations ago; 3: a free at last_free + 16 * int32(a)
//   history      the last three symbols of 16 bits, newest lowest: history = (history << 16 | symbol) mod 2^48
//   stacks[128]  {id, size, tag}, place g(id) >> 25
//   blocks[256]  {address, number, class}, place h(address >> 4) >> 56; number counts the allocations of the page from 0
//   ring[256]    place in blocks[] of allocation n at n mod 256; allocations: how many so far
//   per size class (64): freed[4] (a ring with top and depth <= 4), last (address handed out), sequential (a flag)
//   t, bump, last_alloc, last_free, last_stack, last_tag, free_tag
// A size has n = (size + FileHeader::size_bias) / 16 granules, at least 2 if size_bias > 15, else at least 1; its class c is
// min(n, 63).
//
// Predictions, with X = context[h(history) >> 55] as it was before the record:
//   alloc_guess(c, n) = freed[c][top[c]] if depth[c] > 0, else last[c] + 16 n if sequential[c], else bump
//   free_guess        = blocks[ring[(allocations - X.a) mod 256]].address if X.kind is 2, last_free + 16 * int32(X.a) if 3
//   base(c)           = last[c] if that is not 0, else last_alloc
//   distance(A)       = with e = blocks[place of A]: allocations - e.number if A != 0, e.address = A and it is < 256; else 0
//
// ADDR(base), the first form that fits; z = zz(A / 16 - base / 16), an address that is no multiple of 16 takes F8:
//   0zzzzzzz               z < 128
//   10dddddd               distance(A) = d + 1 is in 1..64
//   110sssss ssssssss      blocks[s].address, s < 256
//   1110zzzz zzzzzzzz      z < 4096, high bits first
//   11110nnn + n+1 bytes   z, little-endian
//   11111000 + raw64       A
//
// Records. "T:L": the low bits of the token hold dt; when they are all ones (= L), pv(dt - L) follows at once.
//   1ttttttt  T:127  as X says. X.kind 1: alloc of stack X.a, size X.b, tag X.tag at alloc_guess; X.kind 2, 3: free of free_guess
//                    by X.tag, without stack and size
//   01tttttt  T:63   alloc of stack, size, tag of X (X.kind is 1) at ADDR(base(c))
//   001ttttt  T:31   free by free_tag of ADDR(last_free)
//   0001SSZA         alloc: pv dt; by SS 0: stack, tag, size of X (X.kind is 1)
//                                       1: one byte, a place in stacks[]: its id, tag, size
//                                       2: pv zz(stack - last_stack), tag last_tag, size 0; sets last_stack
//                                       3: the same, then raw16 tag
//                    if Z: pv size replaces the size; if A: ADDR(base(c)), else alloc_guess
//   00001TSZ         free: pv dt; ADDR(last_free); if T: raw16 tag, else free_tag; if S (bit 0): pv stack; if Z (bit 1): pv size;
//                    bits are T = 4, Z = 2, S = 1; sets free_tag
//   000001SI         realloc: pv dt to its begin; pv units from begin to end; old = ADDR(last_free);
//                    if S: pv zz(stack - last_stack), raw16 tag, sets last_stack, else one byte, a place in stacks[];
//                    pv size; if I: new = old, else on_free(old), then new = ADDR(base(c))
//   00000010         extension: byte type (EventExtension), pv length, length bytes. Changes nothing; readers skip those
//                    that they do not know
//   00000000         end of the page's records; 00000001 and 00000011 are malformed
// No record but an extension is longer than kMostEventBytes. dt < 2^49, a realloc's duration < 2^42 units, a size < 2^56:
// sums of a page's sizes fit 64 bits with room to spare.
//
// Updates, in this order:
//   on_alloc(A):  if depth[c] > 0: pop if freed[c][top[c]] = A (depth -1, top -1 mod 4)
//                 else if A = bump: sequential[c] = 0; else if A = last[c] + 16 n: sequential[c] = 1
//                 then bump = A + 16 n; last[c] = last_alloc = A; blocks[place of A] = {A, allocations, c};
//                 ring[allocations mod 256] = place of A; allocations += 1
//   on_free(A):   e = blocks[place of A]; if A != 0 and e.address = A: k = e.class, top[k] += 1 mod 4, freed[k][top[k]] = A,
//                 depth[k] = min(depth[k] + 1, 4). Then last_free = A
//   on_stack:     stacks[place] = {id, size if < 2^32 else 0, tag}; last_tag = tag
//   after alloc:  form 0001 only: on_stack, then X = {kind 1 if size < 2^32 else 0, stack, size mod 2^32, tag}. Always:
//                 on_alloc; symbol g(stack) >> 17
//   after free:   d = distance(A), before = last_free; on_free(A); X.tag = tag, and
//                 d > 0: X.kind = 2, X.a = d, symbol 0x8000 | d; else q = A - before: if q is a multiple of 16 and q / 16 fits
//                 int32: X.kind = 3, X.a = q / 16, symbol 0xC000 | (X.a & 0x3FFF); else X.kind = 0, symbol 0xC000
//   after realloc: (on_free(old) was done above if it moved) on_stack; on_alloc(new); symbol g(stack) >> 17; X is not changed
//
// Example, the first two records of a page with size_bias 23:
//     1f 05 24 01 00 20 f2 2a 60 55    0001SSZA = 3,1,1: alloc, dt 5; stack zz(18 - 0) = 24; tag 1 (malloc); size 32;
//                                      z = 0x55602a: address 16 * 0x2ab015 = 0x2ab0150
//     0c 03 80 0c 00                   00001TSZ = 1,0,0: free, dt 3, distance 1 (that block), tag 12 (free)
// clang-format on

enum class EventExtension : uint8_t {
  // No bytes. Written by programs that make a trace of another one, never by the recorder: the thread had events
  // between the record before, of whichever of its streams, and the next one here, and they were left out.
  gap = 1,
  // The program says what type a block is of, from then on: pv units since the record before, pv TypeDefinition's
  // number, pv domain, raw64 address.
  //
  //   Example: 02 02 0b  05 03 00 50 01 ab 02 00 00 00 00    5 units later, type 3, domain 0, address 0x2ab0150
  block_type = 2,
};

inline constexpr uint32_t kTimeShift = 4;
inline constexpr uint32_t kMostEventBytes = 48;
inline constexpr unsigned kEventContexts = 512;
inline constexpr unsigned kEventStacks = 128;
inline constexpr unsigned kEventBlocks = 256;
inline constexpr unsigned kEventClasses = 64;
inline constexpr unsigned kEventFreed = 4;
inline constexpr uint64_t kMostTimeUnits = (1ull << 49) - 1;
inline constexpr uint64_t kMostDurationUnits = (1ull << 42) - 1;
inline constexpr uint64_t kMostBlockBytes = (1ull << 56) - 1;

}  // namespace memprof::format
