// Findings as suppressions that valgrind reads too.
#pragma once

#include <span>
#include <string>

#include "gate/verdict.h"

namespace memprof {

// Of each leak that counts, in their order, equal ones once; not of those that no frame says the place of. Each has at
// most 24 frames, as valgrind's own; a longer stack ends in `...`.
//
// valgrind matches functions by linkage name: where a finding has none (a trace that carries its symbols), the readable
// name is written, which only memprof understands. What realloc(NULL), reallocarray, aligned_alloc and valloc returned,
// valgrind 3.19 takes for malloc's, realloc's and memalign's: it goes on to tell of them.
std::string written_suppressions(std::span<const Finding> findings);

}  // namespace memprof
