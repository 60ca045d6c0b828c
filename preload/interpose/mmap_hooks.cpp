// Mappings that the program makes itself: the domain mmap. What libc maps for malloc does not come through here.
//
// Not seen: a bare system call, also by syscall(); brk and sbrk; remap_file_pages, which changes no range; what libc
// maps for itself (arenas, stacks of threads, libraries).
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "interpose/hook.h"
#include "interpose/late_hooks.h"
#include "real_allocator/real_allocator.h"
#include "recorder/recorder.h"
#include "snapshot/unforked_memory.h"

using namespace memprof;

namespace {

Function kind_of(int flags) {
  const bool is_shared = (flags & MAP_SHARED) != 0;  // MAP_SHARED_VALIDATE has this bit too
  if ((flags & MAP_ANONYMOUS) != 0) return is_shared ? Function::mmap_shared : Function::mmap;
  return is_shared ? Function::mmap_shared_file : Function::mmap_file;
}

size_t whole_pages(size_t bytes) {
  const size_t mask = static_cast<size_t>(getpagesize()) - 1;
  return (bytes + mask) & ~mask;
}

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

}  // namespace

MEMPROF_EXPORT void* mmap(void* wanted, size_t bytes, int protection, int flags, int fd, off_t offset) noexcept {
  find_if_early();
  void* region = map(wanted, bytes, protection, flags, fd, offset);
  if (region != MAP_FAILED) record_alloc(region, bytes, kind_of(flags), MEMPROF_CALLER());
  return region;
}

// off_t has 64 bits wherever memprof runs, so this is the same function under another name.
MEMPROF_EXPORT void* mmap64(void* wanted, size_t bytes, int protection, int flags, int fd, off64_t offset) noexcept {
  find_if_early();
  void* region = map(wanted, bytes, protection, flags, fd, offset);
  if (region != MAP_FAILED) record_alloc(region, bytes, kind_of(flags), MEMPROF_CALLER());
  return region;
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
  note_unreadable(region, old_bytes);
  if (wanted != nullptr) note_unreadable(wanted, bytes);
  void* moved = real.mremap(region, old_bytes, bytes, flags, wanted);
  note_unreadable(region, old_bytes);
  if (wanted != nullptr) note_unreadable(wanted, bytes);
  if (moved == MAP_FAILED) return moved;
  const CapturePoint caller = MEMPROF_CALLER();
  // With an old size of 0 a shared mapping is duplicated; with MREMAP_DONTUNMAP the old one stays. What shrinks in
  // place loses its tail and is what it was; all else begins anew here, as a realloc does.
  constexpr int kDontUnmap = 4;
  const size_t old_whole = whole_pages(old_bytes), whole = whole_pages(bytes);
  if (moved == region && old_bytes != 0 && whole <= old_whole) {
    if (whole < old_whole) {
      record_unmapped(static_cast<char*>(region) + whole, old_whole - whole, Function::mremap, begin_ticks, caller);
    }
    return moved;
  }
  if (old_bytes != 0 && (flags & kDontUnmap) == 0) {
    record_unmapped(region, old_bytes, Function::mremap, begin_ticks, caller);
  }
  record_alloc(moved, bytes, Function::mremap, caller);
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
