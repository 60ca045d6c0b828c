// What one mremap moves: from Linux 6.17 on it may be many mappings, of several kinds, with holes between them that
// leave alone what lies where they come to.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "recorder/mapping_kinds.h"

namespace memprof {

struct RemappedPiece {
  uintptr_t start;
  size_t bytes;
  MappingKind kind;
};

class RemappedPieces {
 public:
  // Before the call. What lies in the range, by its kinds; holes are looked for where `may_have_holes`. Always one
  // piece at least. Limits: kMost pieces, the last of which takes all that follows; kMostPages are asked for one by
  // one, and the rest counts as mapped.
  void find(uintptr_t start, size_t bytes, bool may_have_holes);

  void forget_kinds() const;
  // What lies before `end` stays, or the call failed.
  void note_kinds_before(uintptr_t end) const;

  unsigned count() const { return count_; }
  const RemappedPiece& operator[](unsigned index) const { return pieces_[index]; }

 private:
  static constexpr unsigned kMost = 16;
  static constexpr unsigned kMostPages = 4096;

  void add(uintptr_t start, size_t bytes);

  RemappedPiece pieces_[kMost];
  unsigned count_ = 0;
};

}  // namespace memprof
