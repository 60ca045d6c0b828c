#include "real_allocator/real_allocator.h"

#include <dlfcn.h>

#include <stddef.h>

#include <atomic>
#include <type_traits>

#include "platform/load_time.h"
#include "platform/own_module.h"
#include "platform/text.h"

namespace memprof {

constinit RealFunctions real = {};
constinit bool next_is_glibc = false;
constinit FirstMallocRefusal first_malloc_refusal = {};
alignas(16) constinit char bootstrap_arena[kBootstrapBytes] = {};

namespace {

constinit std::atomic<size_t> arena_used{0};
constinit bool finding = false;

struct Library {
  uintptr_t begin, end;
};
constexpr size_t kFunctionsOfMalloc = offsetof(RealFunctions, mmap) / sizeof(void*);
constinit Library next_libraries[kFunctionsOfMalloc] = {};
constinit size_t next_library_count = 0;
constinit RealFunctions as_found = {};
constexpr size_t kArenaHeader = 16;  // holds the block's size, keeps 16-byte alignment

template <typename F>
void find(F*& function, const char* name) {
  function = reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}
// By a name that is glibc's alone: tcmalloc and mimalloc have a __libc_malloc too.
bool is_in_glibc(const void* function) {
  Dl_info own, glibc;
  return dladdr(function, &own) != 0 && dladdr(dlsym(RTLD_NEXT, "gnu_get_libc_version"), &glibc) != 0 &&
         own.dli_fbase == glibc.dli_fbase;
}

// Where another malloc stands before ours, it may pass its calls on or keep them. Which, is seen when one arrives:
// until then the table leads through these. Not all: jemalloc and tcmalloc have no pvalloc, so that ours is called.
constinit RealFunctions unwatched = {};
constinit std::atomic<bool> has_arrived{false};
constinit Text<1024> other_path;

template <auto kMember>
struct Watch;
template <typename Result, typename... Arguments, Result (*RealFunctions::*kMember)(Arguments...)>
struct Watch<kMember> {
  static Result call(Arguments... arguments) {
    has_arrived.store(true, std::memory_order_relaxed);
    std::atomic_ref(real.*kMember).store(unwatched.*kMember, std::memory_order_relaxed);
    return (unwatched.*kMember)(arguments...);
  }
};

template <auto kMember>
void watch(RealFunctions& functions) {
  if (functions.*kMember != nullptr) functions.*kMember = Watch<kMember>::call;
}

void watch_for_arrivals(RealFunctions& functions) {
  const void* first = dlsym(RTLD_DEFAULT, "malloc");
  Dl_info other;
  if (is_in_own_module(reinterpret_cast<uintptr_t>(first)) || dladdr(first, &other) == 0) return;
  other_path.add(other.dli_fname);
  unwatched = functions;
  watch<&RealFunctions::malloc>(functions);
  watch<&RealFunctions::calloc>(functions);
  watch<&RealFunctions::realloc>(functions);
}

}  // namespace

const char* malloc_called_instead() {
  return other_path.length() == 0 || has_arrived.load(std::memory_order_relaxed) ? nullptr : other_path.c_str();
}

bool has_next_function(uintptr_t begin, uintptr_t end) {
  const auto has_one = [&](const RealFunctions& functions) {
    const auto* const first = reinterpret_cast<const uintptr_t*>(&functions);
    for (size_t i = 0; i < kFunctionsOfMalloc; ++i)
      if (first[i] - begin < end - begin) return true;
    return false;
  };
  return has_one(as_found) || has_one(unwatched);
}

void note_next_allocator(uintptr_t begin, uintptr_t end) {
  if (next_library_count < kFunctionsOfMalloc) next_libraries[next_library_count++] = {begin, end};
}
bool is_in_next_allocator(uintptr_t address) {
  for (size_t i = 0; i < next_library_count; ++i)
    if (address - next_libraries[i].begin < next_libraries[i].end - next_libraries[i].begin) return true;
  return false;
}

void note_first_malloc_refused(const char* function, const char* reason) { first_malloc_refusal = {function, reason}; }

void note_first_malloc_hooked() { has_arrived.store(true, std::memory_order_relaxed); }

void call_original_behind_us(uintptr_t function, void* original) {
  const auto exchange = [&](RealFunctions& functions) {
    void** const first = reinterpret_cast<void**>(&functions);
    for (size_t i = 0; i < sizeof(functions) / sizeof(void*); ++i)
      if (reinterpret_cast<uintptr_t>(first[i]) == function) first[i] = original;
  };
  exchange(real);
  exchange(unwatched);
}

void call_functions_as_found() { real = as_found; }

void call_first_malloc(void* (*first_of)(const char* name)) {
  RealFunctions found = real;
  const auto take_first = [&](auto& function, const char* name) {
    void* const first = first_of(name);
    if (first != nullptr) function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(first);
  };
  take_first(found.malloc, "malloc");
  take_first(found.calloc, "calloc");
  take_first(found.realloc, "realloc");
  take_first(found.free, "free");
  take_first(found.posix_memalign, "posix_memalign");
  take_first(found.aligned_alloc, "aligned_alloc");
  take_first(found.memalign, "memalign");
  take_first(found.valloc, "valloc");
  take_first(found.pvalloc, "pvalloc");
  take_first(found.reallocarray, "reallocarray");
  next_is_glibc = is_in_glibc(reinterpret_cast<void*>(found.malloc));
  as_found = real = found;
}

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
  find(found.madvise, "madvise");
  next_is_glibc = is_in_glibc(reinterpret_cast<void*>(found.malloc));
  if (!was_loaded_late()) watch_for_arrivals(found);
  as_found = found;
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
