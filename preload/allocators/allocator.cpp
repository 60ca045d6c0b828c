// Sources: the headers of jemalloc 5.3, mimalloc 2.1, gperftools 2.10, oneTBB 2021.8, libgomp 13, GLib 2.74, APR 1.7,
// glibc 2.36 (obstack.h).
#include "allocators/allocator.h"

#include "allocators/function_rows.h"
#include "allocators/gpu_functions.h"
#include "platform/text.h"

namespace memprof {
namespace {

using format::Domain;
using namespace rows;

constexpr const char* kNoPrefix[] = {"", nullptr};

// ---- malloc of the program's own -----------------------------------------------------------------------------------

// The operators come last.
constexpr Function kMallocFunctions[] = {
    allocates("malloc", 0),
    releases("free"),
    allocates("calloc", 0, 1),
    reallocates("realloc", 0, 1),
    reallocates("reallocarray", 0, 1, 2),
    stores("posix_memalign", 0, 2),
    allocates("aligned_alloc", 1),
    allocates("memalign", 1),
    allocates("valloc", 0),
    allocates("pvalloc", 0),
    releases("cfree"),
    releases("free_sized"),
    releases("free_aligned_sized"),
    allocates("_Znwm", 0),
    allocates("_ZnwmRKSt9nothrow_t", 0),
    allocates("_ZnwmSt11align_val_t", 0),
    allocates("_ZnwmSt11align_val_tRKSt9nothrow_t", 0),
    allocates("_Znam", 0),
    allocates("_ZnamRKSt9nothrow_t", 0),
    allocates("_ZnamSt11align_val_t", 0),
    allocates("_ZnamSt11align_val_tRKSt9nothrow_t", 0),
    releases("_ZdlPv"),
    releases("_ZdlPvm"),
    releases("_ZdlPvRKSt9nothrow_t"),
    releases("_ZdlPvSt11align_val_t"),
    releases("_ZdlPvmSt11align_val_t"),
    releases("_ZdlPvSt11align_val_tRKSt9nothrow_t"),
    releases("_ZdaPv"),
    releases("_ZdaPvm"),
    releases("_ZdaPvRKSt9nothrow_t"),
    releases("_ZdaPvSt11align_val_t"),
    releases("_ZdaPvmSt11align_val_t"),
    releases("_ZdaPvSt11align_val_tRKSt9nothrow_t"),
};

// ---- jemalloc ------------------------------------------------------------------------------------------------------

constexpr const char* kJemallocPrefixes[] = {"", "je_", "_rjem_", "_rjem_je_", "jemalloc_", nullptr};
// Without a prefix, libc's names lead to memprof already, or are the program's malloc.
constexpr Function kJemallocFunctions[] = {
    allocates("mallocx", 0),
    reallocates("rallocx", 0, 1),
    {.name = "xallocx", .does = Does::resize, .block = 0, .size = 1},
    releases("dallocx"),
    releases("sdallocx"),
    allocates("malloc", 0),
    releases("free"),
    allocates("calloc", 0, 1),
    reallocates("realloc", 0, 1),
    stores("posix_memalign", 0, 2),
    allocates("aligned_alloc", 1),
    allocates("memalign", 1),
    allocates("valloc", 0),
    allocates("pvalloc", 0),
};

// ---- mimalloc ------------------------------------------------------------------------------------------------------

constexpr Function kMimallocFunctions[] = {
    allocates("mi_malloc", 0),
    allocates("mi_zalloc", 0),
    allocates("mi_calloc", 0, 1),
    allocates("mi_mallocn", 0, 1),
    allocates("mi_malloc_small", 0),
    allocates("mi_zalloc_small", 0),
    reallocates("mi_realloc", 0, 1),
    reallocates("mi_reallocn", 0, 1, 2),
    reallocates("mi_reallocarray", 0, 1, 2),
    {.name = "mi_reallocf", .does = Does::reallocate, .block = 0, .size = 1, .releases_on_failure = true},
    reallocates("mi_rezalloc", 0, 1),
    reallocates("mi_recalloc", 0, 1, 2),
    {.name = "mi_expand", .does = Does::resize, .block = 0, .size = 1},
    copies_text("mi_strdup"),
    copies_text("mi_strndup"),
    copies_text("mi_realpath"),
    releases("mi_free"),
    releases("mi_cfree"),
    releases("mi_free_size"),
    releases("mi_free_size_aligned"),
    releases("mi_free_aligned"),
    allocates("mi_malloc_aligned", 0),
    allocates("mi_malloc_aligned_at", 0),
    allocates("mi_zalloc_aligned", 0),
    allocates("mi_zalloc_aligned_at", 0),
    allocates("mi_calloc_aligned", 0, 1),
    allocates("mi_calloc_aligned_at", 0, 1),
    reallocates("mi_realloc_aligned", 0, 1),
    reallocates("mi_realloc_aligned_at", 0, 1),
    reallocates("mi_rezalloc_aligned", 0, 1),
    reallocates("mi_recalloc_aligned", 0, 1, 2),
    reallocates("mi_rezalloc_aligned_at", 0, 1),
    reallocates("mi_recalloc_aligned_at", 0, 1, 2),
    stores("mi_posix_memalign", 0, 2),
    allocates("mi_memalign", 1),
    allocates("mi_valloc", 0),
    allocates("mi_pvalloc", 0),
    allocates("mi_aligned_alloc", 1),
    allocates("mi_new", 0),
    allocates("mi_new_aligned", 0),
    allocates("mi_new_nothrow", 0),
    allocates("mi_new_aligned_nothrow", 0),
    {.name = "mi_new_n", .does = Does::allocate, .size = 1, .count = 0},
    {.name = "mi_new_realloc", .does = Does::reallocate, .block = 0, .size = 1},
    {.name = "mi_new_reallocn", .does = Does::reallocate, .block = 0, .size = 2, .count = 1},
    allocates("mi_heap_malloc", 1),
    allocates("mi_heap_zalloc", 1),
    allocates("mi_heap_calloc", 1, 2),
    allocates("mi_heap_mallocn", 1, 2),
    allocates("mi_heap_malloc_small", 1),
    reallocates("mi_heap_realloc", 1, 2),
    reallocates("mi_heap_reallocn", 1, 2, 3),
    {.name = "mi_heap_reallocf", .does = Does::reallocate, .block = 1, .size = 2, .releases_on_failure = true},
    reallocates("mi_heap_rezalloc", 1, 2),
    reallocates("mi_heap_recalloc", 1, 2, 3),
    copies_text("mi_heap_strdup"),
    copies_text("mi_heap_strndup"),
    copies_text("mi_heap_realpath"),
    allocates("mi_heap_malloc_aligned", 1),
    allocates("mi_heap_malloc_aligned_at", 1),
    allocates("mi_heap_zalloc_aligned", 1),
    allocates("mi_heap_zalloc_aligned_at", 1),
    allocates("mi_heap_calloc_aligned", 1, 2),
    allocates("mi_heap_calloc_aligned_at", 1, 2),
    reallocates("mi_heap_realloc_aligned", 1, 2),
    reallocates("mi_heap_realloc_aligned_at", 1, 2),
    reallocates("mi_heap_rezalloc_aligned", 1, 2),
    reallocates("mi_heap_rezalloc_aligned_at", 1, 2),
    reallocates("mi_heap_recalloc_aligned", 1, 2, 3),
    reallocates("mi_heap_recalloc_aligned_at", 1, 2, 3),
    allocates("mi_heap_alloc_new", 1),
    {.name = "mi_heap_alloc_new_n", .does = Does::allocate, .size = 2, .count = 1},
    keeps_heaps("mi_heap_new"),
    keeps_heaps("mi_heap_new_in_arena"),
    keeps_heaps("mi_heap_new_ex"),
    keeps_heaps("mi_heap_delete"),
    {.name = "mi_heap_destroy", .does = Does::destroy_heap, .block = 0, .helper = "mi_heap_visit_blocks"},
};

// ---- tcmalloc (gperftools) -----------------------------------------------------------------------------------------

constexpr Function kTcmallocFunctions[] = {
    allocates("tc_malloc", 0),
    allocates("tc_malloc_skip_new_handler", 0),
    releases("tc_free"),
    releases("tc_free_sized"),
    reallocates("tc_realloc", 0, 1),
    allocates("tc_calloc", 0, 1),
    releases("tc_cfree"),
    allocates("tc_memalign", 1),
    stores("tc_posix_memalign", 0, 2),
    allocates("tc_valloc", 0),
    allocates("tc_pvalloc", 0),
    allocates("tc_new", 0),
    allocates("tc_new_nothrow", 0),
    allocates("tc_newarray", 0),
    allocates("tc_newarray_nothrow", 0),
    allocates("tc_new_aligned", 0),
    allocates("tc_new_aligned_nothrow", 0),
    allocates("tc_newarray_aligned", 0),
    allocates("tc_newarray_aligned_nothrow", 0),
    releases("tc_delete"),
    releases("tc_delete_sized"),
    releases("tc_delete_nothrow"),
    releases("tc_delete_aligned"),
    releases("tc_delete_sized_aligned"),
    releases("tc_delete_aligned_nothrow"),
    releases("tc_deletearray"),
    releases("tc_deletearray_sized"),
    releases("tc_deletearray_nothrow"),
    releases("tc_deletearray_aligned"),
    releases("tc_deletearray_sized_aligned"),
    releases("tc_deletearray_aligned_nothrow"),
};

// ---- oneTBB, OpenMP ------------------------------------------------------------------------------------------------

constexpr Function kTbbFunctions[] = {
    allocates("scalable_malloc", 0),
    releases("scalable_free"),
    allocates("scalable_calloc", 0, 1),
    reallocates("scalable_realloc", 0, 1),
    stores("scalable_posix_memalign", 0, 2),
    allocates("scalable_aligned_malloc", 0),
    reallocates("scalable_aligned_realloc", 0, 1),
    releases("scalable_aligned_free"),
};

// omp_free, in libgomp, is GOMP_free's alias for compiled directives.
constexpr Function kOmpFunctions[] = {
    allocates("omp_alloc", 0),        allocates("omp_aligned_alloc", 1),
    allocates("omp_calloc", 0, 1),    allocates("omp_aligned_calloc", 1, 2),
    reallocates("omp_realloc", 0, 1), releases("omp_free"),
    allocates("GOMP_alloc", 1),       releases("GOMP_free"),
};

// ---- pools that lie in the heap ------------------------------------------------------------------------------------

constexpr Function kGlibFunctions[] = {
    allocates("g_slice_alloc", 0),
    allocates("g_slice_alloc0", 0),
    allocates("g_slice_copy", 0),
    releases("g_slice_free1", 1),
    // (block size, first, where in a block the next one is named)
    {.name = "g_slice_free_chain_with_offset", .does = Does::release_chain, .block = 1, .size = 2},
};

constexpr Function kAprFunctions[] = {
    {.name = "apr_palloc", .does = Does::allocate_from_pool, .block = 0, .size = 1},
    {.name = "apr_pcalloc", .does = Does::allocate_from_pool, .block = 0, .size = 1},
    {.name = "apr_pvsprintf", .does = Does::print_into_pool, .block = 0},
    {.name = "apr_pool_clear", .does = Does::clear_pool, .block = 0},
    {.name = "apr_pool_destroy", .does = Does::destroy_pool, .block = 0},
};

// gnulib's names may begin with rpl.
constexpr const char* kObstackPrefixes[] = {"", "rpl", nullptr};
constexpr Function kObstackFunctions[] = {
    {.name = "_obstack_begin", .does = Does::begin_obstack, .block = 0},
    {.name = "_obstack_begin_1", .does = Does::begin_obstack, .block = 0},
    {.name = "_obstack_newchunk", .does = Does::grow_obstack, .block = 0},
    {.name = "_obstack_free", .does = Does::free_obstack, .block = 0},
    {.name = "obstack_free", .does = Does::free_obstack, .block = 0},
};

template <unsigned count>
constexpr Allocator allocator(const char* name, const char* anchor, Domain domain, const Function (&functions)[count],
                              const char* const* prefixes = kNoPrefix) {
  return {name, anchor, prefixes, domain, functions, count};
}

bool equals(const char* text, const char* name, size_t bytes) {
  return text_length(text) == bytes && __builtin_memcmp(text, name, bytes) == 0;
}

}  // namespace

constinit const Allocator kAllocators[] = {
    allocator("jemalloc", "mallocx", Domain::cpu, kJemallocFunctions, kJemallocPrefixes),
    allocator("mimalloc", "mi_malloc", Domain::cpu, kMimallocFunctions),
    allocator("tcmalloc", "tc_malloc", Domain::cpu, kTcmallocFunctions),
    allocator("tbb", "scalable_malloc", Domain::cpu, kTbbFunctions),
    allocator("openmp", "omp_alloc", Domain::cpu, kOmpFunctions),
    allocator("glib", "g_slice_alloc", Domain::pool, kGlibFunctions),
    allocator("apr", "apr_palloc", Domain::pool, kAprFunctions),
    allocator("obstack", "_obstack_newchunk", Domain::pool, kObstackFunctions, kObstackPrefixes),
    allocator("cuda", "cudaMalloc", Domain::gpu, kCudaFunctions),
    allocator("cuda", "cuMemAlloc_v2", Domain::gpu, kCudaDriverFunctions),
    allocator("hip", "hipMalloc", Domain::gpu, kHipFunctions),
};
const unsigned kAllocatorCount = sizeof(kAllocators) / sizeof(kAllocators[0]);

constinit const Allocator kReplacedMalloc = allocator("malloc", "malloc", Domain::cpu, kMallocFunctions);

constexpr unsigned kOperators = 20;
constexpr const Function* kFirstOperator = kMallocFunctions + sizeof(kMallocFunctions) / sizeof(Function) - kOperators;
constinit const Allocator kRuntimeOperators = {"operators", "_Znwm",        kNoPrefix,
                                               Domain::cpu, kFirstOperator, kOperators};

bool is_allocator_name(const char* name, size_t bytes) {
  for (const Allocator& allocator : kAllocators) {
    if (equals(allocator.name, name, bytes)) return true;
    for (unsigned i = 0; i < allocator.count; ++i) {
      for (const char* const* prefix = allocator.prefixes; *prefix != nullptr; ++prefix) {
        const size_t length = text_length(*prefix);
        if (length <= bytes && __builtin_memcmp(name, *prefix, length) == 0 &&
            equals(allocator.functions[i].name, name + length, bytes - length)) {
          return true;
        }
      }
    }
  }
  return false;
}

}  // namespace memprof
