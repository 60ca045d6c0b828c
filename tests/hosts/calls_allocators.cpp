// Calls the API of an allocator that is not malloc: calls_allocators NAME [LIBRARY]. The functions are looked up as
// plugins do it; with LIBRARY, in a library that is loaded for that and unloaded at the end.
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <string>

namespace {

void* library = RTLD_DEFAULT;

template <typename F>
F* function(const char* name) {
  void* const found = dlsym(library, name);
  if (found == nullptr) {
    fprintf(stderr, "%s: not found\n", name);
    exit(2);
  }
  return reinterpret_cast<F*>(found);
}

using Alloc = void*(size_t);
using Alloc2 = void*(size_t, size_t);
using Realloc = void*(void*, size_t);
using Free = void(void*);

void mimalloc() {
  auto* const mi_free = function<Free>("mi_free");
  void* block = function<Alloc>("mi_malloc")(101);
  block = function<Realloc>("mi_realloc")(block, 5002);  // frees by itself: one event
  mi_free(block);
  mi_free(function<Alloc2>("mi_calloc")(3, 41));
  mi_free(function<char*(const char*)>("mi_strdup")("seven b"));
  function<Alloc>("mi_zalloc")(205);  // stays
  mi_free(function<Alloc2>("mi_malloc_aligned")(306, 64));
  function<void(void*, size_t)>("mi_free_size")(function<Alloc>("mi_new")(407), 407);
  void* const heap = function<void*()>("mi_heap_new")();
  for (int i = 0; i < 3; ++i) function<void*(void*, size_t)>("mi_heap_malloc")(heap, 508);
  function<Free>("mi_heap_destroy")(heap);
  mi_free(function<Realloc>("mi_rezalloc")(nullptr, 609));
  function<Free>("mi_heap_delete")(function<void*()>("mi_heap_new")());              // what it keeps is no block
  mi_free(function<char*(const char*, char*)>("mi_realpath")("/usr/../", nullptr));  // libc makes one too, of 2 bytes
}

void jemalloc() {
  auto* const mallocx = function<void*(size_t, int)>("mallocx");
  void* block = mallocx(101, 0);
  block = function<void*(void*, size_t, int)>("rallocx")(block, 5002, 0);
  function<size_t(void*, size_t, size_t, int)>("xallocx")(block, 5100, 0, 0);
  function<void(void*, size_t, int)>("sdallocx")(block, 5100, 0);
  free(mallocx(203, 0));                                  // of malloc's family
  function<void(void*, int)>("dallocx")(malloc(304), 0);  // both ways
  mallocx(405, 0);                                        // stays
}

void tcmalloc() {
  auto* const tc_malloc = function<Alloc>("tc_malloc");
  free(tc_malloc(101));
  function<void(void*, size_t)>("tc_free_sized")(malloc(202), 202);
  function<Free>("tc_free")(function<Alloc2>("tc_calloc")(3, 103));
  tc_malloc(404);  // stays
}

void tbb() {
  auto* const scalable_free = function<Free>("scalable_free");
  scalable_free(function<Realloc>("scalable_realloc")(function<Alloc>("scalable_malloc")(101), 5002));
  scalable_free(function<Alloc2>("scalable_calloc")(3, 71));
  void* block = nullptr;
  function<int(void**, size_t, size_t)>("scalable_posix_memalign")(&block, 64, 304);
  function<Free>("scalable_aligned_free")(function<Alloc2>("scalable_aligned_malloc")(405, 64));
}

void openmp() {
  constexpr size_t kDefault = 1;
  void* const block = function<Alloc2>("omp_alloc")(101, kDefault);
  function<Alloc2>("omp_alloc")(202, kDefault);  // stays
  function<void(void*, size_t)>("omp_free")(block, kDefault);
}

void glib() {
  auto* const g_slice_alloc = function<Alloc>("g_slice_alloc");
  auto* const g_slice_free1 = function<void(size_t, void*)>("g_slice_free1");
  g_slice_free1(101, g_slice_alloc(101));
  g_slice_free1(202, function<Alloc>("g_slice_alloc0")(202));
  struct Link {
    char head[8];
    Link* next;
    char tail[24];
  };
  Link* chain = nullptr;
  for (int i = 0; i < 3; ++i) {
    auto* const link = static_cast<Link*>(g_slice_alloc(sizeof(Link)));
    link->next = chain;
    chain = link;
  }
  function<void(size_t, void*, size_t)>("g_slice_free_chain_with_offset")(sizeof(Link), chain, offsetof(Link, next));
  g_slice_alloc(303);  // stays
}

void apr() {
  function<int()>("apr_initialize")();
  auto* const create = function<int(void**, void*, void*, void*)>("apr_pool_create_ex");
  auto* const apr_palloc = function<void*(void*, size_t)>("apr_palloc");
  void *outer = nullptr, *inner = nullptr, *kept = nullptr;
  create(&outer, nullptr, nullptr, nullptr);
  create(&inner, outer, nullptr, nullptr);
  create(&kept, nullptr, nullptr, nullptr);
  apr_palloc(outer, 1001);
  apr_palloc(inner, 1002);
  function<void*(void*, const char*)>("apr_pstrdup")(inner, "a text of twenty byt");
  function<Free>("apr_pool_clear")(inner);
  apr_palloc(inner, 1003);
  apr_palloc(kept, 1004);                     // stays
  function<Free>("apr_pool_destroy")(outer);  // and inner
}

struct Extent {
  size_t width, height, depth;
};
const struct { int x, y, z, w, kind; } four_bytes{8, 8, 8, 8, 0};

// Levels of 8 x 4, 4 x 2, 2 x 1 and 1 x 1; of 4 x 4 and 2 x 2 in each of three layers.
void mipmapped(const char* malloc_name, const char* free_name) {
  constexpr unsigned kLayered = 1;
  using Malloc = int(void**, const void*, Extent, unsigned, unsigned);
  auto* const take = function<Malloc>(malloc_name);
  auto* const give = function<int(void*)>(free_name);
  void* array = nullptr;
  take(&array, &four_bytes, {8, 4, 0}, 9, 0);
  give(array);
  take(&array, &four_bytes, {4, 4, 3}, 2, kLayered);
  give(array);
}

// The memory of one handle is mapped somewhere, say, and the handle asked for there.
void handles(const std::string& prefix) {
  using Handle = unsigned long long;
  auto* const create = function<int(Handle*, size_t, const void*, unsigned long long)>((prefix + "Create").c_str());
  auto* const retain = function<int(Handle*, void*)>((prefix + "RetainAllocationHandle").c_str());
  auto* const release = function<int(Handle)>((prefix + "Release").c_str());
  Handle handle = 0, again = 0;
  create(&handle, 4096, &four_bytes, 0);
  retain(&again, reinterpret_cast<void*>(handle));
  release(again);  // no end
  release(handle);
  if (release(handle) == 0) exit(5);      // fails
  create(&handle, 8192, &four_bytes, 0);  // stays
}

// The prototypes of cuda_runtime_api.h, without its types.
void cuda() {
  struct Pitched {
    void* block;
    size_t pitch, width, height;
  };
  using Malloc = int(void**, size_t);
  auto* const cudaMalloc = function<Malloc>("cudaMalloc");
  auto* const cudaFree = function<int(void*)>("cudaFree");
  void* block = nullptr;
  cudaMalloc(&block, 1001);  // by cuMemAlloc_v2
  cudaFree(block);
  if (cudaMalloc(&block, size_t{1} << 50) == 0) exit(3);
  if (cudaFree(&block) == 0) exit(4);  // none of its blocks
  function<int(void**, size_t, unsigned)>("cudaMallocManaged")(&block, 1002, 1);
  cudaFree(block);
  size_t pitch = 0;
  function<int(void**, size_t*, size_t, size_t)>("cudaMallocPitch")(&block, &pitch, 100, 3);
  cudaFree(block);
  Pitched pitched{};
  function<int(Pitched*, Extent)>("cudaMalloc3D")(&pitched, {100, 3, 2});
  cudaFree(pitched.block);
  function<int(void**, const void*, size_t, size_t, unsigned)>("cudaMallocArray")(&block, &four_bytes, 16, 5, 0);
  function<int(void*)>("cudaFreeArray")(block);
  function<int(void**, const void*, Extent, unsigned)>("cudaMalloc3DArray")(&block, &four_bytes, {4, 3, 2}, 7);
  function<int(void*)>("cudaFreeArray")(block);
  mipmapped("cudaMallocMipmappedArray", "cudaFreeMipmappedArray");
  function<int(void**, size_t, unsigned)>("cudaHostAlloc")(&block, 1005, 0);
  function<int(void*)>("cudaFreeHost")(block);
  function<int(void**, size_t, void*)>("cudaMallocAsync")(&block, 1006, nullptr);
  function<int(void*, void*)>("cudaFreeAsync")(block, nullptr);
  function<Malloc>("cudaMallocHost")(&block, 1007);
  cudaFree(block);           // the wrong function
  cudaMalloc(&block, 1008);  // stays
  cudaFree(nullptr);
}

// More than any machine has, and the stand-in says that it went well.
void cuda_boundless() {
  void* block = nullptr;
  auto* const cudaMalloc = function<int(void**, size_t)>("cudaMalloc");
  if (cudaMalloc(&block, size_t{1} << 60) != 0 || cudaMalloc(&block, SIZE_MAX) != 0) exit(3);
  for (size_t bytes = 1; bytes < 4000; bytes += 1000) cudaMalloc(&block, bytes);
}

void cuda_driver() {
  unsigned long long block = 0;
  function<int(unsigned long long*, size_t)>("cuMemAlloc_v2")(&block, 1001);
  function<int(unsigned long long)>("cuMemFree_v2")(block);
  void* host = nullptr;
  function<int(void**, size_t, unsigned)>("cuMemHostAlloc")(&host, 1002, 0);
  function<int(void*)>("cuMemFreeHost")(host);
  const struct {
    size_t width, height;
    unsigned format, channels;
  } halves{10, 4, 0x10, 2};
  void* array = nullptr;
  function<int(void**, const void*)>("cuArrayCreate_v2")(&array, &halves);
  function<int(void*)>("cuArrayDestroy")(array);
  const struct {
    size_t width, height, depth;
    unsigned format, channels, flags;
  } row{8, 0, 0, 0x10, 2, 0};
  function<int(void**, const void*, unsigned)>("cuMipmappedArrayCreate")(&array, &row, 2);
  function<int(void*)>("cuMipmappedArrayDestroy")(array);
  handles("cuMem");
  function<int(unsigned long long*, void*, int)>("cuMemImportFromShareableHandle")(&block, &array, 1);
  function<int(unsigned long long)>("cuMemRelease")(block);  // of another process's memory
}

void hip() {
  void* block = nullptr;
  function<int(void**, size_t)>("hipMalloc")(&block, 1001);
  function<int(void*)>("hipFree")(block);
  function<int(void**, size_t, unsigned)>("hipHostMalloc")(&block, 1002, 0);
  function<int(void*)>("hipHostFree")(block);
  mipmapped("hipMallocMipmappedArray", "hipFreeMipmappedArray");
  handles("hipMem");
}

// As programs do to learn which allocator they have.
void asks() {
  const char* const names[] = {"mallocx",       "mi_malloc",  "tc_malloc",  "scalable_malloc", "omp_alloc",
                               "g_slice_alloc", "apr_palloc", "cudaMalloc", "cuMemAlloc_v2",   "hipMalloc"};
  for (const char* name : names) {
    if (dlsym(RTLD_DEFAULT, name) != nullptr) printf("%s is there\n", name);
  }
  puts("none is there");
}

}  // namespace

int main(int count, char** arguments) {
  const struct {
    const char* name;
    void (*call)();
  } allocators[] = {{"mimalloc", mimalloc}, {"jemalloc", jemalloc}, {"tcmalloc", tcmalloc},
                    {"tbb", tbb},           {"openmp", openmp},     {"glib", glib},
                    {"apr", apr},           {"cuda", cuda},         {"cuda_driver", cuda_driver},
                    {"hip", hip},           {"asks", asks},         {"cuda_boundless", cuda_boundless}};
  if (count < 2) return 2;
  if (count > 2 && (library = dlopen(arguments[2], RTLD_NOW | RTLD_LOCAL)) == nullptr) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  for (const auto& allocator : allocators) {
    if (strcmp(allocator.name, arguments[1]) != 0) continue;
    allocator.call();
    return 0;
  }
  return 2;
}
