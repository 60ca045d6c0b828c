// MEMPROF_FILTER: which allocations are recorded. Conditions joined by commas must all hold; values joined by bars
// are alternatives: domain=cpu|mmap,allocator=malloc|new,size>=4096,tag=parse. The text is folded into one allowed flag
// per function and one size interval, so that the test per event is a load and two comparisons; the names of tags are
// compared when one is pushed.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memprof/trace_format.h"
#include "platform/text.h"

namespace memprof {

struct Filter {
  bool active = false;
  bool paused = false;  // by the client API: nothing but frees is recorded
  bool denied[format::kFunctionCount] = {};
  bool unnamed[format::kFunctionCount] = {};  // denied by `allocator=`: of a client's block the domain is asked apart
  bool denied_definitions[256] = {};          // of functions that are numbered from kFirstDefinedTag, as they are met
  uint64_t least_bytes = 0;
  uint64_t most_bytes = UINT64_MAX;
  Text<256> tags;        // joined by bars, as they were given; empty: every block, with or without
  Text<256> domains;     // the same; empty: all. What the functions' own domains say stands in `denied`
  Text<256> allocators;  // the same

  // `has_tag`: the program gave the block one of `tags`.
  bool accepts(format::Function function, uint64_t bytes, bool has_tag = false) const {
    if (paused) return false;
    if (!active) return true;
    const auto number = static_cast<unsigned>(function);
    const bool is_denied =
        number < format::kFirstDefinedTag ? denied[number] : denied_definitions[number - format::kFirstDefinedTag];
    return !is_denied && accepts_block(bytes, has_tag);
  }
  // Of a client's block, whose function may be of any domain.
  bool accepts_client(format::Function function, uint64_t bytes, bool has_domain, bool has_tag) const {
    if (paused) return false;
    return !active || (!unnamed[static_cast<unsigned>(function)] && has_domain && accepts_block(bytes, has_tag));
  }

 private:
  bool accepts_block(uint64_t bytes, bool has_tag) const {
    return bytes >= least_bytes && bytes <= most_bytes && (has_tag || tags.length() == 0);
  }
};

// False when the text is not a filter; *out may then be half changed. `memalign` stands for all aligned functions
// (memalign aligned_alloc posix_memalign valloc pvalloc), `new` for new[] too, `mmap` for every kind of mapping; the
// name of an allocator (allocators/) for all that it has. A domain that none of the functions is of may be one that the
// program will define; but one that differs from a known one in the case of letters alone is none, and `meant` says
// which is known, as it does of allocators.
bool parse_filter(const char* text, Filter* out, const char** meant = nullptr);

// Whether one of `names`, joined by bars, is the `bytes` of `name`.
bool names_contain(const char* names, const char* name, size_t bytes);

// Bytes, or with K, M, G (powers of 1024). False when it is no such size or does not fit.
bool parse_size(const char* text, uint64_t* out);

}  // namespace memprof
