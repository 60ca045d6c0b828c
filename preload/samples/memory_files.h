// What the kernel says of the memory of this process: /proc/thread-self/statm and smaps_rollup, as numbers.
//
// Each reading opens its file anew, as the host may close any descriptor, under a high number, and closes it. Static
// buffers, for small stacks: one caller at a time, with all signals blocked.
#pragma once

#include "memprof/trace_format.h"

namespace memprof {

// Both leave the numbers that are not told as they are. False: the kernel does not answer (no /proc, no descriptor).
bool read_statm(uint64_t memory_page_size, format::MemorySample* sample);
bool read_rollup(format::MemorySample* sample);

// In a forked child: another thread of the parent may have had a file open.
void close_inherited_memory_file();

// The numbers in the text of the files.
bool parse_statm(const char* text, size_t bytes, uint64_t memory_page_size, format::MemorySample* sample);
bool parse_rollup(const char* text, size_t bytes, format::MemorySample* sample);

}  // namespace memprof
