// The next allocator: whatever RTLD_NEXT finds behind memprof (glibc, jemalloc, tcmalloc, mimalloc, ...), called
// exactly once per call of the host.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

namespace memprof {

struct RealFunctions {
  void* (*malloc)(size_t);
  void (*free)(void*);
  void* (*calloc)(size_t, size_t);
  void* (*realloc)(void*, size_t);
  void* (*reallocarray)(void*, size_t, size_t);
  int (*posix_memalign)(void**, size_t, size_t);
  void* (*aligned_alloc)(size_t, size_t);
  void* (*memalign)(size_t, size_t);
  void* (*valloc)(size_t);
  void* (*pvalloc)(size_t);
  void* (*mmap)(void*, size_t, int, int, int, off_t);
  int (*munmap)(void*, size_t);
  void* (*mremap)(void*, size_t, size_t, int, ...);
  int (*mprotect)(void*, size_t, int);
  int (*madvise)(void*, size_t, int);
};
extern RealFunctions real;

// Looks all of them up, and sets them at once: real.malloc is null until all are there. Called by the constructor, or
// by the first hook that runs before it. False: dlsym itself is calling, serve it from the bootstrap arena.
bool find_real_functions();

// In a program that runs already nothing lies behind memprof but libc: there it is the malloc that everybody else
// finds. Not by dlsym: in a program that is no PIE that finds an entry of its jump table.
void call_first_malloc(void* (*first_of)(const char* name));

// Whether a function behind memprof lies there. Not all need be of one library: a wrapper may have malloc and free
// alone.
bool has_next_function(uintptr_t begin, uintptr_t end);
// Where the next allocator's libraries lie, libc left out.
void note_next_allocator(uintptr_t begin, uintptr_t end);
bool is_in_next_allocator(uintptr_t address);

// A block that the next allocator unmaps when it is freed. Known for glibc alone, which marks it in the word before the
// block (malloc.c, "Physical chunk format": IS_MMAPPED) and reads that word itself.
struct Mapping {
  const char* start;
  size_t bytes;
};
extern bool next_is_glibc;
inline bool is_mapping(const void* block) {
  constexpr size_t kIsMapped = 2;
  return next_is_glibc && (static_cast<const size_t*>(block)[-1] & kIsMapped) != 0;
}
Mapping mapping_of(const void* block);

// FileHeader::size_bias of the next allocator: glibc keeps 8 bytes a block and rounds up to 16.
uint32_t next_allocator_size_bias();

// Path of the object whose malloc the program calls instead of ours, as long as no call has reached us: the program
// itself, or a library that was preloaded before. nullptr: ours is called, maybe by way of another one.
const char* malloc_called_instead();
// That one is hooked (allocators/): nothing is missing. Or not, as this function of it cannot be; texts are not copied.
void note_first_malloc_hooked();
void note_first_malloc_refused(const char* function, const char* reason);
struct FirstMallocRefusal {
  const char* function;  // null: none
  const char* reason;
};
extern FirstMallocRefusal first_malloc_refusal;
// `function` leads to memprof from now on; the calls of its own that memprof hands on go to `original`.
void call_original_behind_us(uintptr_t function, void* original);
// None does any more.
void call_functions_as_found();

// While the look-up itself allocates (an older dlsym does), it is served from a small static arena.
constexpr size_t kBootstrapBytes = 16 * 1024;
extern char bootstrap_arena[kBootstrapBytes];
inline bool is_bootstrap_block(const void* block) {
  return reinterpret_cast<uintptr_t>(block) - reinterpret_cast<uintptr_t>(bootstrap_arena) < kBootstrapBytes;
}
void* bootstrap_alloc(size_t size_bytes);
size_t bootstrap_size(const void* block);

}  // namespace memprof
