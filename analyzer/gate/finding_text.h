// What a finding, a broken limit and the whole verdict are, in words. The texts hold raw bytes of names and paths:
// escape them for what they are printed in.
#pragma once

#include <string>
#include <utility>

#include "gate/verdict.h"

namespace memprof {

// "definite leak", "mismatched free"
std::string kind_noun(FindingKind kind, uint64_t count = 1);

// "new definite leak", "suppressed double free"
std::string finding_title(const Finding& finding);

// "1.20 KiB in 3 blocks"
std::string amount_text(uint64_t bytes, uint64_t blocks);

// What it is about: "1.20 KiB in 3 blocks from malloc, and 64 B in 2 blocks lost with them", "24 B in 1 block from
// new[], freed by free". What it grew from is told.
std::string finding_amount(const Finding& finding);

// The frame to look at first; null where the stack is not known.
const FindingFrame* blamed_frame(const Finding& finding);

// "parse (config.c:40)", "libx.so+0x1234"; of a fixed one the innermost names.
std::string frame_place(const FindingFrame& frame);
std::string finding_place(const Finding& finding);
// The same without numbers that another build changes: "parse", "libx.so".
std::string finding_function(const Finding& finding);

// "new definite leak at parse (config.c:40): 1.20 KiB in 3 blocks from malloc"
std::string describe_finding(const Finding& finding);

// 16 hex digits
std::string fingerprint_text(const Finding& finding);

// "budget of *list* (blocks)"; "max-peak: 12.00 MiB, over the limit of 10.00 MiB"
std::string limit_name(const BrokenLimit& limit);
std::string describe_limit(const BrokenLimit& limit);

// Two sizes as people read them, and to the byte where they would look alike.
std::pair<std::string, std::string> unlike_sizes(uint64_t first, uint64_t second);

// "glibc-dlopen (known.supp:12)"
std::string suppression_place(const SuppressionUse& use);

// "FAILED: 2 new leaks (1.20 KiB in 3 blocks); max-peak: 12.00 MiB, over the limit of 10.00 MiB", "passed: no leaks"
std::string verdict_text(const Verdict& verdict);

}  // namespace memprof
