// The C allocation functions. Each hook calls the next allocator once and delegates to the recorder; sizes recorded are
// the sizes asked for.
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "interpose/hook.h"
#include "real_allocator/real_allocator.h"
#include "recorder/recorder.h"

namespace memprof {
namespace {

inline bool ready() { return __builtin_expect(real.malloc != nullptr, 1) || find_real_functions(); }

void* realloc_bootstrap(void* block, size_t size_bytes) {
  void* moved = real.malloc != nullptr ? real.malloc(size_bytes) : bootstrap_alloc(size_bytes);
  const size_t kept = bootstrap_size(block);
  if (moved != nullptr) __builtin_memcpy(moved, block, kept < size_bytes ? kept : size_bytes);
  return moved;
}

// What a realloc of `old_block` did, once it has returned.
inline void record_resized(void* old_block, void* block, size_t size_bytes, Function function, uint64_t begin_ticks,
                           const CapturePoint& caller) {
  if (block == nullptr) {
    // With size 0 glibc and others free the block and return nothing; with any other size it failed and is kept.
    if (old_block != nullptr && size_bytes == 0) record_realloc_free(old_block, function, begin_ticks, caller);
  } else if (old_block == nullptr) {
    record_alloc(block, size_bytes, function, caller);
  } else {
    record_realloc(old_block, block, size_bytes, function, begin_ticks, caller);
  }
}

// A free, with what must be said of memory that goes.
__attribute__((noinline)) void free_mapping(void* block) {
  const Mapping mapping = mapping_of(block);
  note_unreadable(mapping.start, mapping.bytes);
  real.free(block);
  note_unreadable(mapping.start, mapping.bytes);
}

inline void free_block(void* block) {
  if (__builtin_expect(is_mapping(block), 0)) return free_mapping(block);
  real.free(block);
}

__attribute__((noinline)) void* realloc_mapping(void* old_block, size_t size_bytes) {
  const Mapping mapping = mapping_of(old_block);
  note_unreadable(mapping.start, mapping.bytes);
  void* block = real.realloc(old_block, size_bytes);
  note_unreadable(mapping.start, mapping.bytes);
  return block;
}

}  // namespace
}  // namespace memprof

using namespace memprof;

MEMPROF_EXPORT void* malloc(size_t size_bytes) noexcept {
  if (!ready()) return bootstrap_alloc(size_bytes);
  void* block = real.malloc(size_bytes);
  if (block != nullptr && !is_nested(__builtin_return_address(0))) {
    record_alloc(block, size_bytes, Function::malloc, MEMPROF_CALLER());
  }
  return block;
}

MEMPROF_EXPORT void free(void* block) noexcept {
  if (block == nullptr || is_bootstrap_block(block) || !ready()) return;
  const void* const return_address = __builtin_return_address(0);
  if (!is_nested(return_address) || is_free_that_counts(return_address)) {
    record_free(block, Function::free, MEMPROF_CALLER());
  }
  free_block(block);
}

MEMPROF_EXPORT void* calloc(size_t count, size_t each) noexcept {
  if (!ready()) {
    size_t size_bytes;
    return __builtin_mul_overflow(count, each, &size_bytes) ? nullptr : bootstrap_alloc(size_bytes);
  }
  void* block = real.calloc(count, each);
  if (block != nullptr && !is_nested(__builtin_return_address(0))) {
    record_alloc(block, count * each, Function::calloc, MEMPROF_CALLER());
  }
  return block;
}

MEMPROF_EXPORT void* realloc(void* old_block, size_t size_bytes) noexcept {
  if (is_bootstrap_block(old_block)) return realloc_bootstrap(old_block, size_bytes);
  if (!ready()) return bootstrap_alloc(size_bytes);
  const uint64_t begin_ticks = read_ticks_after_loads();
  const bool may_unmap = old_block != nullptr && is_mapping(old_block);
  void* block =
      __builtin_expect(may_unmap, 0) ? realloc_mapping(old_block, size_bytes) : real.realloc(old_block, size_bytes);
  if (!is_nested(__builtin_return_address(0))) {
    record_resized(old_block, block, size_bytes, Function::realloc, begin_ticks, MEMPROF_CALLER());
  }
  return block;
}

MEMPROF_EXPORT void* reallocarray(void* old_block, size_t count, size_t each) noexcept {
  if (!ready()) return nullptr;
  size_t size_bytes;
  const bool overflows = __builtin_mul_overflow(count, each, &size_bytes);
  const uint64_t begin_ticks = read_ticks_after_loads();
  void* block;
  if (real.reallocarray != nullptr) {
    block = real.reallocarray(old_block, count, each);
  } else if (overflows) {
    errno = ENOMEM;
    return nullptr;
  } else {
    block = real.realloc(old_block, size_bytes);
  }
  // glibc's calls realloc through its own entry, so nothing was recorded underneath.
  if (!overflows && !is_nested(__builtin_return_address(0))) {
    record_resized(old_block, block, size_bytes, Function::reallocarray, begin_ticks, MEMPROF_CALLER());
  }
  return block;
}

MEMPROF_EXPORT int posix_memalign(void** out, size_t alignment, size_t size_bytes) noexcept {
  if (!ready()) return ENOMEM;
  const int result = real.posix_memalign(out, alignment, size_bytes);
  if (result == 0 && *out != nullptr && !is_nested(__builtin_return_address(0))) {
    record_alloc(*out, size_bytes, Function::posix_memalign, MEMPROF_CALLER());
  }
  return result;
}

MEMPROF_EXPORT void* aligned_alloc(size_t alignment, size_t size_bytes) noexcept {
  if (!ready()) return nullptr;
  void* block = real.aligned_alloc(alignment, size_bytes);
  if (block != nullptr && !is_nested(__builtin_return_address(0))) {
    record_alloc(block, size_bytes, Function::aligned_alloc, MEMPROF_CALLER());
  }
  return block;
}

MEMPROF_EXPORT void* memalign(size_t alignment, size_t size_bytes) noexcept {
  if (!ready()) return nullptr;
  void* block = real.memalign(alignment, size_bytes);
  if (block != nullptr && !is_nested(__builtin_return_address(0))) {
    record_alloc(block, size_bytes, Function::memalign, MEMPROF_CALLER());
  }
  return block;
}

MEMPROF_EXPORT void* valloc(size_t size_bytes) noexcept {
  if (!ready()) return nullptr;
  void* block = real.valloc(size_bytes);
  if (block != nullptr) record_alloc(block, size_bytes, Function::valloc, MEMPROF_CALLER());
  return block;
}

MEMPROF_EXPORT void* pvalloc(size_t size_bytes) noexcept {
  if (!ready()) return nullptr;
  void* block = real.pvalloc(size_bytes);
  if (block != nullptr) record_alloc(block, size_bytes, Function::pvalloc, MEMPROF_CALLER());
  return block;
}

// C23 defines both as free with a hint, so the next allocator's free serves them; Debian's glibc has neither.
MEMPROF_EXPORT void free_sized(void* block, size_t) noexcept {
  if (block == nullptr || is_bootstrap_block(block) || !ready()) return;
  record_free(block, Function::free_sized, MEMPROF_CALLER());
  free_block(block);
}

MEMPROF_EXPORT void free_aligned_sized(void* block, size_t, size_t) noexcept {
  if (block == nullptr || is_bootstrap_block(block) || !ready()) return;
  record_free(block, Function::free_aligned_sized, MEMPROF_CALLER());
  free_block(block);
}
