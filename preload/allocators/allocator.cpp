// Sources: the headers of jemalloc 5.3, mimalloc 2.1, gperftools 2.10, oneTBB 2021.8, libgomp 13, GLib 2.74, APR 1.7,
// glibc 2.36 (obstack.h), CUDA 12 (cuda_runtime_api.h, cuda.h) and HIP 6 (hip_runtime_api.h).
#include "allocators/allocator.h"

#include "platform/text.h"

namespace memprof {
namespace {

using format::Domain;
using Function = AllocatorFunction;

constexpr Function allocates(const char* name, int8_t size) {
  return {.name = name, .does = Does::allocate, .size = size};
}
constexpr Function allocates(const char* name, int8_t count, int8_t size) {
  return {.name = name, .does = Does::allocate, .size = size, .count = count};
}
constexpr Function stores(const char* name, int8_t where, int8_t size) {
  return {.name = name, .does = Does::allocate, .size = size, .stores = where};
}
constexpr Function stores(const char* name, int8_t where, size_t (*size_of)(const Arguments&)) {
  return {.name = name, .does = Does::allocate, .stores = where, .size_of = size_of};
}
constexpr Function reallocates(const char* name, int8_t block, int8_t size) {
  return {.name = name, .does = Does::reallocate, .block = block, .size = size};
}
constexpr Function reallocates(const char* name, int8_t block, int8_t count, int8_t size) {
  return {.name = name, .does = Does::reallocate, .block = block, .size = size, .count = count};
}
constexpr Function releases(const char* name, int8_t block = 0) {
  return {.name = name, .does = Does::release, .block = block};
}
constexpr Function releases_or_fails(const char* name) {
  return {.name = name, .does = Does::release, .block = 0, .returns_status = true};
}
constexpr Function keeps_handle(const char* name) { return {.name = name, .does = Does::keep_handle, .stores = 0}; }
constexpr Function releases_handle(const char* name) {
  return {.name = name, .does = Does::release_handle, .block = 0};
}
constexpr Function copies_text(const char* name) { return {.name = name, .does = Does::copy_text}; }

constexpr Function keeps_heaps(const char* name) { return {.name = name, .does = Does::stand_for_calls}; }

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

// ---- GPUs ----------------------------------------------------------------------------------------------------------

size_t stored(uint64_t argument) { return *reinterpret_cast<const size_t*>(argument); }
size_t or_one(size_t value) { return value != 0 ? value : 1; }

// (block**, pitch*, width, height)
size_t pitched_bytes(const Arguments& arguments) { return stored(arguments[1]) * or_one(arguments[3]); }

// (cudaPitchedPtr* {block, pitch, …}, extent by value: width, height, depth)
size_t pitched_3d_bytes(const Arguments& arguments) {
  const auto* pitched = reinterpret_cast<const size_t*>(arguments[0]);
  return pitched[1] * or_one(arguments.stack[1]) * or_one(arguments.stack[2]);
}

// cudaChannelFormatDesc and hipChannelFormatDesc: the bits of four channels.
size_t channel_bytes(uint64_t descriptor) {
  const auto* bits = reinterpret_cast<const int32_t*>(descriptor);
  return static_cast<size_t>(bits[0] + bits[1] + bits[2] + bits[3]) / 8;
}
// (array*, format*, width, height, flags)
size_t array_bytes(const Arguments& arguments) {
  return channel_bytes(arguments[1]) * arguments[2] * or_one(arguments[3]);
}
// (array*, format*, extent by value, flags)
size_t array_3d_bytes(const Arguments& arguments) {
  return channel_bytes(arguments[1]) * arguments.stack[0] * or_one(arguments.stack[1]) * or_one(arguments.stack[2]);
}

// CUarray_format: what one channel takes.
size_t format_bytes(uint32_t format) {
  switch (format) {
    case 0x01:
    case 0x08: return 1;  // 8 bits
    case 0x02:
    case 0x09:
    case 0x10: return 2;  // 16 bits, half
    default: return 4;
  }
}
// (array*, CUDA_ARRAY_DESCRIPTOR* {width, height, format, channels})
size_t driver_array_bytes(const Arguments& arguments) {
  const auto* sizes = reinterpret_cast<const size_t*>(arguments[1]);
  const auto* rest = reinterpret_cast<const uint32_t*>(sizes + 2);
  return sizes[0] * or_one(sizes[1]) * format_bytes(rest[0]) * or_one(rest[1]);
}
// (array*, CUDA_ARRAY3D_DESCRIPTOR* {width, height, depth, format, channels, flags})
size_t driver_array_3d_bytes(const Arguments& arguments) {
  const auto* sizes = reinterpret_cast<const size_t*>(arguments[1]);
  const auto* rest = reinterpret_cast<const uint32_t*>(sizes + 3);
  return sizes[0] * or_one(sizes[1]) * or_one(sizes[2]) * format_bytes(rest[0]) * or_one(rest[1]);
}

// All levels: each has half of the width, of the height and, where it does not count layers or faces, of the depth.
size_t mipmapped_bytes(size_t element_bytes, const size_t (&extent)[3], uint64_t levels, uint64_t flags) {
  constexpr uint32_t kLayered = 1, kCubemap = 4;
  const bool has_layers = (flags & (kLayered | kCubemap)) != 0;
  size_t width = or_one(extent[0]), height = or_one(extent[1]), depth = or_one(extent[2]), elements = 0;
  for (auto left = static_cast<uint32_t>(levels);; --left) {
    elements += width * height * depth;
    if (left <= 1 || (width == 1 && height == 1 && (has_layers || depth == 1))) return elements * element_bytes;
    width = or_one(width / 2);
    height = or_one(height / 2);
    if (!has_layers) depth = or_one(depth / 2);
  }
}
// (array*, format*, extent by value, levels, flags)
size_t mipmapped_array_bytes(const Arguments& arguments) {
  return mipmapped_bytes(channel_bytes(arguments[1]), {arguments.stack[0], arguments.stack[1], arguments.stack[2]},
                         arguments[2], arguments[3]);
}
// (array*, CUDA_ARRAY3D_DESCRIPTOR*, levels)
size_t driver_mipmapped_array_bytes(const Arguments& arguments) {
  const auto* sizes = reinterpret_cast<const size_t*>(arguments[1]);
  const auto* rest = reinterpret_cast<const uint32_t*>(sizes + 3);
  return mipmapped_bytes(format_bytes(rest[0]) * or_one(rest[1]), {sizes[0], sizes[1], sizes[2]}, arguments[2],
                         rest[2]);
}

// _ptsz: compiled with a default stream for each thread.
constexpr Function kCudaFunctions[] = {
    stores("cudaMalloc", 0, 1),
    stores("cudaMallocManaged", 0, 1),
    stores("cudaMallocPitch", 0, pitched_bytes),
    {.name = "cudaMalloc3D",
     .does = Does::allocate,
     .stores = 0,
     .has_stack_arguments = true,
     .size_of = pitched_3d_bytes},
    stores("cudaMallocArray", 0, array_bytes),
    {.name = "cudaMalloc3DArray",
     .does = Does::allocate,
     .stores = 0,
     .has_stack_arguments = true,
     .size_of = array_3d_bytes},
    {.name = "cudaMallocMipmappedArray",
     .does = Does::allocate,
     .stores = 0,
     .has_stack_arguments = true,
     .size_of = mipmapped_array_bytes},
    stores("cudaMallocAsync", 0, 1),
    stores("cudaMallocAsync_ptsz", 0, 1),
    stores("cudaMallocFromPoolAsync", 0, 1),
    stores("cudaMallocFromPoolAsync_ptsz", 0, 1),
    stores("cudaMallocHost", 0, 1),
    stores("cudaHostAlloc", 0, 1),
    releases_or_fails("cudaFree"),
    releases_or_fails("cudaFreeAsync"),
    releases_or_fails("cudaFreeAsync_ptsz"),
    releases_or_fails("cudaFreeArray"),
    releases_or_fails("cudaFreeMipmappedArray"),
    releases_or_fails("cudaFreeHost"),
};
// _v2: sizes of 64 bits, what cuda.h names without it. Of cuMemCreate the handle is the block: where its memory is
// mapped, if it is, tells nothing of how much there is.
constexpr Function kCudaDriverFunctions[] = {
    stores("cuMemAlloc_v2", 0, 1),
    stores("cuMemAllocPitch_v2", 0, pitched_bytes),
    stores("cuMemAllocManaged", 0, 1),
    stores("cuMemAllocAsync", 0, 1),
    stores("cuMemAllocAsync_ptsz", 0, 1),
    stores("cuMemAllocFromPoolAsync", 0, 1),
    stores("cuMemAllocFromPoolAsync_ptsz", 0, 1),
    stores("cuMemAllocHost_v2", 0, 1),
    stores("cuMemHostAlloc", 0, 1),
    stores("cuArrayCreate_v2", 0, driver_array_bytes),
    stores("cuArray3DCreate_v2", 0, driver_array_3d_bytes),
    stores("cuMipmappedArrayCreate", 0, driver_mipmapped_array_bytes),
    stores("cuMemCreate", 0, 1),
    keeps_handle("cuMemRetainAllocationHandle"),
    keeps_handle("cuMemImportFromShareableHandle"),
    releases_handle("cuMemRelease"),
    releases_or_fails("cuMemFree_v2"),
    releases_or_fails("cuMemFreeAsync"),
    releases_or_fails("cuMemFreeAsync_ptsz"),
    releases_or_fails("cuMemFreeHost"),
    releases_or_fails("cuArrayDestroy"),
    releases_or_fails("cuMipmappedArrayDestroy"),
};
constexpr Function kHipFunctions[] = {
    stores("hipMalloc", 0, 1),
    stores("hipExtMallocWithFlags", 0, 1),
    stores("hipMallocManaged", 0, 1),
    stores("hipMallocPitch", 0, pitched_bytes),
    {.name = "hipMalloc3D",
     .does = Does::allocate,
     .stores = 0,
     .has_stack_arguments = true,
     .size_of = pitched_3d_bytes},
    stores("hipMallocArray", 0, array_bytes),
    {.name = "hipMalloc3DArray",
     .does = Does::allocate,
     .stores = 0,
     .has_stack_arguments = true,
     .size_of = array_3d_bytes},
    {.name = "hipMallocMipmappedArray",
     .does = Does::allocate,
     .stores = 0,
     .has_stack_arguments = true,
     .size_of = mipmapped_array_bytes},
    stores("hipMemCreate", 0, 1),
    keeps_handle("hipMemRetainAllocationHandle"),
    keeps_handle("hipMemImportFromShareableHandle"),
    releases_handle("hipMemRelease"),
    stores("hipMallocAsync", 0, 1),
    stores("hipMallocFromPoolAsync", 0, 1),
    stores("hipHostMalloc", 0, 1),
    stores("hipHostAlloc", 0, 1),
    stores("hipMallocHost", 0, 1),
    releases_or_fails("hipFree"),
    releases_or_fails("hipFreeAsync"),
    releases_or_fails("hipFreeArray"),
    releases_or_fails("hipFreeMipmappedArray"),
    releases_or_fails("hipHostFree"),
    releases_or_fails("hipFreeHost"),
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
