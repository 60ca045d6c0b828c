#include "interpose/remapped_pieces.h"

#include <sys/mman.h>
#include <unistd.h>

#include "platform/syscalls.h"

namespace memprof {
namespace {

// MS_ASYNC does nothing but look whether all of the range is mapped.
bool is_mapped(uintptr_t start, size_t bytes) {
  return sys::call(SYS_msync, static_cast<long>(start), static_cast<long>(bytes), MS_ASYNC) != -ENOMEM;
}

// Mapped from the start on without a hole.
size_t mapped_bytes(uintptr_t start, size_t bytes, size_t page_bytes) {
  if (is_mapped(start, bytes)) return bytes;
  size_t mapped = 0, most = bytes / page_bytes;  // pages; not all of `most` are
  while (most - mapped > 1) {
    const size_t middle = (mapped + most) / 2;
    (is_mapped(start, middle * page_bytes) ? mapped : most) = middle;
  }
  return mapped * page_bytes;
}

}  // namespace

void RemappedPieces::find(uintptr_t start, size_t bytes, bool may_have_holes) {
  if (!may_have_holes) return add(start, bytes);
  const auto page_bytes = static_cast<size_t>(getpagesize());
  const uintptr_t end = start + bytes;
  for (unsigned holes = 0; start < end;) {
    const size_t mapped = holes < kMostPages ? mapped_bytes(start, end - start, page_bytes) : end - start;
    if (mapped != 0) add(start, mapped);
    start += mapped;
    for (; start < end && holes < kMostPages && !is_mapped(start, page_bytes); start += page_bytes) ++holes;
  }
  if (count_ == 0) add(end - bytes, bytes);  // the call fails
}

void RemappedPieces::add(uintptr_t start, size_t bytes) {
  do {
    const KindRun run = kind_run(start, bytes == 0 ? 1 : bytes);
    if (count_ == kMost) {
      pieces_[kMost - 1].bytes = start + bytes - pieces_[kMost - 1].start;
      return;
    }
    pieces_[count_++] = {start, bytes == 0 ? 0 : run.bytes, run.kind};
    start += run.bytes;
    bytes -= run.bytes < bytes ? run.bytes : bytes;
  } while (bytes != 0);
}

void RemappedPieces::forget_kinds() const {
  for (unsigned i = 0; i < count_; ++i)
    if (pieces_[i].kind != MappingKind::anonymous) forget_kind(pieces_[i].start, pieces_[i].bytes);
}

void RemappedPieces::note_kinds_before(uintptr_t end) const {
  for (unsigned i = 0; i < count_; ++i) {
    const auto [start, bytes, kind] = pieces_[i];
    if (kind == MappingKind::anonymous || start >= end) continue;
    note_kind(start, bytes < end - start ? bytes : end - start, kind);
  }
}

}  // namespace memprof
