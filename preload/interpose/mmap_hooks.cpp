// Mappings that the program makes itself: the domain mmap. What libc maps for malloc does not come through here.
//
// Not seen: a bare system call, also by syscall(); brk and sbrk; remap_file_pages, which changes no range; what libc
// maps for itself (arenas, stacks of threads, libraries).
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "interpose/attached_segments.h"
#include "interpose/hook.h"
#include "interpose/late_hooks.h"
#include "interpose/remapped_pieces.h"
#include "real_allocator/real_allocator.h"
#include "recorder/mapping_kinds.h"
#include "recorder/recorder.h"
#include "snapshot/unforked_memory.h"

using namespace memprof;

namespace {

MappingKind kind_of(int flags) {
  const bool is_shared = (flags & MAP_SHARED) != 0;  // MAP_SHARED_VALIDATE has this bit too
  if ((flags & MAP_ANONYMOUS) != 0) return is_shared ? MappingKind::shared : MappingKind::anonymous;
  return is_shared ? MappingKind::shared_file : MappingKind::file;
}

// By MappingKind.
constexpr Function kMmapOf[] = {Function::mmap, Function::mmap_shared, Function::mmap_file, Function::mmap_shared_file};
constexpr Function kMremapOf[] = {Function::mremap, Function::mremap_shared, Function::mremap_file,
                                  Function::mremap_shared_file};

uintptr_t address_of(const void* start) { return reinterpret_cast<uintptr_t>(start); }

size_t page_bytes() { return static_cast<size_t>(getpagesize()); }
size_t whole_pages(size_t bytes) { return (bytes + page_bytes() - 1) & ~(page_bytes() - 1); }

void find_if_early() {
  if (real.malloc == nullptr) find_real_functions();
}

void* map(void* wanted, size_t bytes, int protection, int flags, int fd, off_t offset) {
  if ((flags & MAP_FIXED) == 0 || (protection & PROT_READ) != 0) {
    return real.mmap(wanted, bytes, protection, flags, fd, offset);
  }
  note_unreadable(wanted, bytes);
  void* region = real.mmap(wanted, bytes, protection, flags, fd, offset);
  note_unreadable(wanted, bytes);
  return region;
}

__attribute__((always_inline)) inline void* map_and_record(void* wanted, size_t bytes, int protection, int flags,
                                                           int fd, off_t offset, const CapturePoint& caller) {
  find_if_early();
  void* region = map(wanted, bytes, protection, flags, fd, offset);
  if (region == MAP_FAILED) return region;
  const MappingKind kind = kind_of(flags);
  note_kind(address_of(region), bytes, kind);
  record_alloc(region, bytes, kMmapOf[static_cast<unsigned>(kind)], caller);
  return region;
}

}  // namespace

MEMPROF_EXPORT void* mmap(void* wanted, size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  return map_and_record(wanted, bytes, protection, flags, fd, offset, MEMPROF_CALLER());
}

// off_t has 64 bits wherever memprof runs, so this is the same function under another name.
MEMPROF_EXPORT void* mmap64(void* wanted, size_t bytes, int protection, int flags, int fd, off64_t offset) noexcept {
  return map_and_record(wanted, bytes, protection, flags, fd, offset, MEMPROF_CALLER());
}

// Not recorded: hooked because stacks may lie in what cannot be read any more.
MEMPROF_EXPORT int mprotect(void* start, size_t bytes, int protection) noexcept {
  find_if_early();
  if ((protection & PROT_READ) != 0) return real.mprotect(start, bytes, protection);
  note_unreadable(start, bytes);
  const int result = real.mprotect(start, bytes, protection);
  note_unreadable(start, bytes);
  return result;
}

// Not recorded: hooked because a snapshot, which is a forked image, would lack what is not given to it.
MEMPROF_EXPORT int madvise(void* start, size_t bytes, int advice) noexcept {
  constexpr int kDoNotFork = 10, kWipeOnFork = 18;
  find_if_early();
  if (advice == kDoNotFork || advice == kWipeOnFork) note_unforked_memory();
  return real.madvise(start, bytes, advice);
}

// Recorded after the call, as it may fail, with the time before it.
MEMPROF_EXPORT int munmap(void* region, size_t bytes) noexcept {
  find_if_early();
  const uint64_t begin_ticks = read_ticks();
  note_unreadable(region, bytes);
  if (address_of(region) % page_bytes() == 0) forget_kind(address_of(region), bytes);  // else the call fails
  const int result = real.munmap(region, bytes);
  note_unreadable(region, bytes);
  if (result == 0) record_unmapped(region, bytes, Function::munmap, begin_ticks, MEMPROF_CALLER());
  return result;
}

MEMPROF_EXPORT void* mremap(void* region, size_t old_bytes, size_t bytes, int flags, ...) noexcept {
  find_if_early();
  va_list more;
  va_start(more, flags);
  void* wanted = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void*) : nullptr;
  va_end(more);
  const uint64_t begin_ticks = read_ticks();
  const size_t old_whole = whole_pages(old_bytes), whole = whole_pages(bytes);
  const uintptr_t old_end = address_of(region) + old_whole;
  RemappedPieces pieces;
  pieces.find(address_of(region), old_whole, wanted != nullptr && whole <= old_whole);
  // With an old size of 0 a shared mapping is duplicated; with MREMAP_DONTUNMAP the old one stays.
  constexpr int kDontUnmap = 4;
  const bool stays = old_bytes == 0 || (flags & kDontUnmap) != 0;
  if (!stays) pieces.forget_kinds();
  note_unreadable(region, old_bytes);
  if (wanted != nullptr) note_unreadable(wanted, bytes);
  void* moved = real.mremap(region, old_bytes, bytes, flags, wanted);
  note_unreadable(region, old_bytes);
  if (wanted != nullptr) note_unreadable(wanted, bytes);
  if (moved == MAP_FAILED) {
    if (!stays) pieces.note_kinds_before(old_end);
    return moved;
  }
  const size_t segment_bytes = moved != region && !stays ? forget_segment(address_of(region)) : 0;
  if (segment_bytes != 0) remember_segment(address_of(moved), segment_bytes);
  const CapturePoint caller = MEMPROF_CALLER();
  // What shrinks in place loses its tail and is what it was; all else begins anew here, as a realloc does.
  if (moved == region && old_bytes != 0 && whole <= old_whole) {
    pieces.note_kinds_before(address_of(region) + whole);
    if (whole < old_whole) {
      record_unmapped(static_cast<char*>(region) + whole, old_whole - whole, Function::mremap, begin_ticks, caller);
    }
    return moved;
  }
  for (unsigned i = 0; i < pieces.count(); ++i) {
    const auto [start, piece_bytes, kind] = pieces[i];
    const size_t offset = start - address_of(region);
    if (!stays) {
      record_unmapped(static_cast<char*>(region) + offset, piece_bytes, Function::mremap, begin_ticks, caller);
    }
    if (offset >= bytes) continue;  // it was cut off
    char* const start_now = static_cast<char*>(moved) + offset;
    const size_t room = bytes - offset,
                 bytes_now = start + piece_bytes == old_end || room < piece_bytes ? room : piece_bytes;
    note_kind(address_of(start_now), bytes_now, kind);
    record_alloc(start_now, bytes_now, kMremapOf[static_cast<unsigned>(kind)], caller);
  }
  return moved;
}

MEMPROF_LATE_NAME(mmap);
MEMPROF_LATE_NAME(mmap64);
MEMPROF_LATE_NAME(munmap);
MEMPROF_LATE_NAME(mremap);
MEMPROF_LATE_NAME(mprotect);
MEMPROF_LATE_NAME(madvise);

void memprof::list_mapping_hooks(LateHooks& hooks) {
  hooks.add("mmap", memprof_late_mmap, reinterpret_cast<void**>(&real.mmap));
  hooks.add("mmap64", memprof_late_mmap64, nullptr);  // it calls mmap
  hooks.add("munmap", memprof_late_munmap, reinterpret_cast<void**>(&real.munmap));
  hooks.add("mremap", memprof_late_mremap, reinterpret_cast<void**>(&real.mremap));
  hooks.add("mprotect", memprof_late_mprotect, reinterpret_cast<void**>(&real.mprotect));
  hooks.add("madvise", memprof_late_madvise, reinterpret_cast<void**>(&real.madvise));
}
