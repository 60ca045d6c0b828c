// Which of the program's mappings are shared or of a file: mremap moves one without saying what it is.
//
// Private memory is what is not noted. Invariants:
//   * What goes is forgotten before the call that unmaps it, what comes is noted after the call that maps it: so that a
//     range that another thread is given in between is never forgotten for it.
//   * No lock, no system call. A place of the table is changed by who holds it; one that stays held (a thread that is
//     not running, or that a handler left by longjmp, or that fork did not copy) is passed over after a few tries: then
//     the next mremap there may name a kind that was.
//   * A place that is divided has its second part in the table before the first one shrinks, and says so: who looks for
//     that part meanwhile looks again.
// Limit: kMost ranges at a time; what comes when they are taken counts as private.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace memprof {

enum class MappingKind : uint8_t { anonymous, shared, file, shared_file };

// Ranges are whole pages: what lies in one counts for all of it. Any thread, also in a signal handler.
void note_kind(uintptr_t start, size_t bytes, MappingKind kind);
inline void forget_kind(uintptr_t start, size_t bytes) { note_kind(start, bytes, MappingKind::anonymous); }

struct KindRun {
  MappingKind kind;
  size_t bytes;
};
// What lies at the start, and how far that goes: at most to the end of the range.
KindRun kind_run(uintptr_t start, size_t bytes);

// While no other thread runs here.
void forget_all_kinds();

}  // namespace memprof
