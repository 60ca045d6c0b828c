// The trace file of this process: makes it, hands out pages, ends it.
//
// Invariants:
//   * A page is mapped only where the file has blocks reserved, so no store of ours can meet a full disk (SIGBUS).
//   * The descriptor is used only after fstat said that it still is our file, and a mapping is written to only after
//     it said so again: programs close and reuse every number.
//   * Once stopped, nothing is claimed any more; what is lost from then on is counted in the header, which stays
//   mapped.
//   * Rare paths only: a claim happens once in thousands of events.
//   * A cursor claims pages in runs, longer the more it writes, and each mapping is one cursor's alone: threads share
//     the page counter and nothing else. What of a run is never written stays a page of zeros, which readers skip.
//   * Where no system call may be made any more (platform/syscalls.h) pages come from a part of the file that was
//     reserved and mapped before; when it is used up, recording stops.
#pragma once

#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

struct TraceStart {
  const char* output_pattern;
  const char* program;
  uint64_t limit_bytes;  // 0: none
  uint32_t max_depth;
  uint32_t flags;  // format::FileFlags
  uint32_t pid;    // the process that is recorded
  uint32_t parent_pid;
  uint64_t fork_ticks;
  uint64_t run;  // 0: not said
  uint64_t nominal_ticks_per_second;
  format::Clock clock;
  uint32_t size_bias;  // see FileHeader
};

enum class StartResult { ok, failed };

// Makes the file and maps its header. On failure says one line on stderr. Single-threaded.
StartResult start_trace(const TraceStart& start);

// Forgets a trace that belongs to the parent process: unmaps and closes, changes nothing in the file. In a forked
// child only.
void abandon_trace();

// The live header, nullptr before start_trace.
extern format::FileHeader* trace_header;

// Path of the current trace, "" before start_trace.
const char* trace_path();

// Consecutive pages of one cursor, mapped at once. Each unmapping interrupts every processor that the program's threads
// run on: with 4 pages at a time two threads of a tight loop lost 6 % to it, with 16 nothing that can be measured.
constexpr uint32_t kLongestRun = 16;
struct PageRun {
  unsigned char* start;  // nullptr: none
  uint64_t first_page;
  uint32_t pages;
  uint32_t taken;  // pages that the cursor has begun
};
void unmap_run(PageRun* run);
// Puts memory of nobody in the place of the file. False: the kernel gives none.
bool divert_run(PageRun* run);

// Begins a stream's next page, in *run or in a new one that takes its place; its header is filled in and its state is
// open. nullptr: recording is over, or a vfork child cannot reach the file. Async-signal-safe, any thread.
struct PageRequest {
  format::StreamKind kind;
  uint32_t stream_id;
  uint32_t sequence;
  uint32_t thread_serial;
  uint32_t thread_id;
  uint64_t start_units;  // time 0 of its events; kAnyTime for streams without times
};
constexpr uint64_t kAnyTime = UINT64_MAX;
format::PageHeader* claim_page(const PageRequest& request, PageRun* run);

// Writes the checksum, and marks the page sealed.
void seal_page(format::PageHeader* page);

// Whether claim_page fails from now on. When it failed and this is false, another process that has this memory goes on.
bool is_over();
// The cause for which claim_page failed.
format::DropCause stop_cause();

// Adds to the count of events that were lost. Any thread, async-signal-safe.
void count_dropped(format::DropCause cause, uint64_t events = 1);

// Stops recording for a cause; says one line on stderr the first time.
void stop_recording(format::DropCause cause, const char* why);

// One line when the file has no name any more: whoever looks for the trace would find none and not know why.
void say_if_removed();

// Writes the end pair and end_state.
void end_trace(format::EndState state);
// Cuts the file to its claimed pages and some to spare, for what still comes: libc frees the list of exit handlers
// after the last of them, and other threads run until the process is gone. The file grows no more.
void close_trace_file(uint64_t spare_pages);
// An exec failed: the process runs on.
void resume_trace();

// Before the gate to the kernel closes: reserves and maps pages to go on with, as many as there is room for.
void reserve_pages_to_go_on();

}  // namespace memprof
