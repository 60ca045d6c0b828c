// The trace's file on disk: a descriptor that the host may close or give to another file at any time, and blocks that
// are reserved before anybody stores to them.
//
// What changes the reservation (grow_to, cut_file) is called under the writer's lock; the rest by any thread. Nothing
// here needs libc; all is async-signal-safe.
#pragma once

#include <stdint.h>
#include <sys/stat.h>

#include "memprof/trace_format.h"
#include "trace_writer/output_name.h"

namespace memprof {

// Takes over the descriptor of a file just made. limit_bytes 0: none. `owner` is the process whose memory this is.
// Single-threaded.
void adopt_file(const OutputFile& made, uint64_t limit_bytes, uint32_t owner);
// Where the file is from now on.
void set_trace_path(const char* path);
// The file stays.
void close_descriptor();

// The descriptor, opened anew by its path when the host has closed it; -1 when the path does not lead there any more.
int descriptor();
// A vfork child has its parent's memory, and descriptors of its own: what it cannot open, its parent may still have.
bool is_vfork_child();
// Whether the file has no name left.
bool is_removed();
// Whether the number is still our file's; its status then.
bool is_our_file(int fd, struct stat* status);

// Pages below this number have disk blocks.
uint64_t reserved_pages();
struct Growth {
  bool ok;
  format::DropCause cause;
};
// Reserves at least up to `pages` pages.
Growth grow_to(uint64_t pages);
// The filesystem reserves no blocks: what is to have some is written with zeros, by one process alone.
bool reserves_by_zeros();
// Brings pages that have blocks into the page cache where that makes the first stores to them cheaper: the first, and
// those that follow it up to the end or to the next that starts_folio().
void prepare_pages(int fd, uint64_t first_page, uint64_t end_page);
bool starts_folio(uint64_t page);
struct Mapped {
  unsigned char* start;  // nullptr: why_not says why
  uint64_t file_bytes;
  format::DropCause why_not;
};
// Maps pages of the file that have blocks. Closed and reused between two calls, the number may be another file's when
// it is mapped: then again. `are_new`: nobody has written there yet.
Mapped map_pages(uint64_t first_page, uint64_t pages, bool are_new);
// Waits until what was written is on the disk.
void flush_file();
// Gives back the blocks behind so many pages.
void cut_file(uint64_t pages);

}  // namespace memprof
