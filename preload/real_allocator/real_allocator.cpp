#include "real_allocator/real_allocator.h"

#include <dlfcn.h>

#include <atomic>

namespace memprof {

constinit RealFunctions real = {};

namespace {

alignas(16) constinit char arena[16 * 1024] = {};
constinit std::atomic<size_t> arena_used{0};
constexpr size_t kArenaHeader = 16;  // holds the block's size, keeps 16-byte alignment

template <typename F>
void find(F*& function, const char* name) {
  if (function == nullptr) function = reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

void find_real_functions() {
  // Only what every libc has: a failing dlsym would allocate in the host's heap, which must look as it does without us.
  find(real.malloc, "malloc");
  find(real.calloc, "calloc");
  find(real.realloc, "realloc");
  find(real.free, "free");
  find(real.posix_memalign, "posix_memalign");
  find(real.aligned_alloc, "aligned_alloc");
  find(real.memalign, "memalign");
  find(real.valloc, "valloc");
  find(real.pvalloc, "pvalloc");
  find(real.reallocarray, "reallocarray");
  find(real.mmap, "mmap");
  find(real.munmap, "munmap");
  find(real.mremap, "mremap");
}

uint32_t next_allocator_size_bias() {
  const bool is_glibc = reinterpret_cast<void*>(real.malloc) == dlsym(RTLD_DEFAULT, "__libc_malloc");
  return is_glibc ? 8 + 15 : 15;
}

bool is_bootstrap_block(const void* block) {
  return static_cast<const char*>(block) >= arena && static_cast<const char*>(block) < arena + sizeof(arena);
}

void* bootstrap_alloc(size_t size_bytes) {
  if (size_bytes > sizeof(arena)) return nullptr;
  const size_t bytes = kArenaHeader + ((size_bytes + 15) & ~size_t{15});
  const size_t at = arena_used.fetch_add(bytes, std::memory_order_relaxed);
  if (at + bytes > sizeof(arena)) return nullptr;
  __builtin_memcpy(arena + at, &size_bytes, sizeof(size_bytes));
  return arena + at + kArenaHeader;
}

size_t bootstrap_size(const void* block) {
  size_t size_bytes;
  __builtin_memcpy(&size_bytes, static_cast<const char*>(block) - kArenaHeader, sizeof(size_bytes));
  return size_bytes;
}

}  // namespace memprof
