// How the recording ended, in a word for JSON and in words for people.
#pragma once

#include <cstdint>
#include <string>

#include "trace/trace_file.h"

namespace memprof {

// "exit", "quick_exit", "_exit", "exec", "running", "died"
std::string ending_name(const TraceFile& file);
std::string describe_ending(const TraceFile& file);

// Of format::Misuse: a key, and what the program did, behind "3 calls did nothing: ".
std::string misuse_name(uint32_t misuse);
std::string describe_misuse(uint32_t misuse);

uint64_t dropped_events(const TraceFile& file);
// "no_space", or "cause 12" for one of a later library.
std::string drop_cause_name(uint32_t cause);
// "disk full", for a sentence.
std::string describe_drop_cause(uint32_t cause);

}  // namespace memprof
