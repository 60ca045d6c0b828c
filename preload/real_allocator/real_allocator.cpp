#include "real_allocator/real_allocator.h"

#include <dlfcn.h>

#include <atomic>

namespace memprof {

constinit RealFunctions real = {};
constinit bool next_is_glibc = false;
alignas(16) constinit char bootstrap_arena[kBootstrapBytes] = {};

namespace {

constinit std::atomic<size_t> arena_used{0};
constinit bool finding = false;
constexpr size_t kArenaHeader = 16;  // holds the block's size, keeps 16-byte alignment

template <typename F>
void find(F*& function, const char* name) {
  function = reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

bool find_real_functions() {
  if (finding) return false;
  finding = true;
  // Only what every libc has: a failing dlsym would allocate in the host's heap, which must look as it does without us.
  RealFunctions found = {};
  find(found.malloc, "malloc");
  find(found.calloc, "calloc");
  find(found.realloc, "realloc");
  find(found.free, "free");
  find(found.posix_memalign, "posix_memalign");
  find(found.aligned_alloc, "aligned_alloc");
  find(found.memalign, "memalign");
  find(found.valloc, "valloc");
  find(found.pvalloc, "pvalloc");
  find(found.reallocarray, "reallocarray");
  find(found.mmap, "mmap");
  find(found.munmap, "munmap");
  find(found.mremap, "mremap");
  find(found.mprotect, "mprotect");
  next_is_glibc = reinterpret_cast<void*>(found.malloc) == dlsym(RTLD_DEFAULT, "__libc_malloc");
  real = found;
  finding = false;
  return true;
}

Mapping mapping_of(const void* block) {
  const auto* header =
      static_cast<const size_t*>(block) - 2;  // bytes of the mapping before it, its own bytes and flags
  return {static_cast<const char*>(block) - 16 - header[0], header[0] + (header[1] & ~size_t{7})};
}

uint32_t next_allocator_size_bias() { return next_is_glibc ? 8 + 15 : 15; }

void* bootstrap_alloc(size_t size_bytes) {
  if (size_bytes > kBootstrapBytes) return nullptr;
  const size_t bytes = kArenaHeader + ((size_bytes + 15) & ~size_t{15});
  const size_t at = arena_used.fetch_add(bytes, std::memory_order_relaxed);
  if (at + bytes > kBootstrapBytes) return nullptr;
  __builtin_memcpy(bootstrap_arena + at, &size_bytes, sizeof(size_bytes));
  return bootstrap_arena + at + kArenaHeader;
}

size_t bootstrap_size(const void* block) {
  size_t size_bytes;
  __builtin_memcpy(&size_bytes, static_cast<const char*>(block) - kArenaHeader, sizeof(size_bytes));
  return size_bytes;
}

}  // namespace memprof
