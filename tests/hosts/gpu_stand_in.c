// Stands in for the CUDA driver, the CUDA runtime above it, and HIP, where there is no GPU: the entry points with their
// parameters, on host memory. Compiled once for each: -DDRIVER, -DRUNTIME, -DHIP.
#include <stddef.h>
#include <stdlib.h>

enum { kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kMost = 64 };
#define EXPORT __attribute__((visibility("default")))

static void* blocks[kMost];

// What a real one does not call malloc for.
static int take(void** out, size_t bytes) {
  static char memory[1 << 20] __attribute__((aligned(256)));
  static size_t used;
  if (bytes >> 56 != 0) bytes = 1;  // says that it has what no machine has
  if (bytes > sizeof memory - used) return kOutOfMemory;
  *out = memory + used;
  used += (bytes + 255) & ~(size_t)255;
  for (int i = 0; i < kMost; ++i) {
    if (blocks[i] != NULL) continue;
    blocks[i] = *out;
    return kSuccess;
  }
  return kOutOfMemory;
}
static int give(void* block) {
  if (block == NULL) return kSuccess;
  for (int i = 0; i < kMost; ++i) {
    if (blocks[i] != block) continue;
    blocks[i] = NULL;
    return kSuccess;
  }
  return kInvalidValue;
}

// Handles of memory. Each that is got once more, or from elsewhere, takes a release more.
#if defined(DRIVER) || defined(HIP)
typedef unsigned long long Handle;
static unsigned kept;
static int make_handle(Handle* out, size_t bytes, const void* properties, unsigned long long flags) {
  return properties != NULL && flags == 0 ? take((void**)out, bytes) : kInvalidValue;
}
static int keep_handle(Handle* out, void* where) {
  if (where == NULL) return kInvalidValue;
  ++kept;
  *out = (Handle)where;
  return kSuccess;
}
static int release_handle(Handle handle) {
  if (kept == 0) return give((void*)handle);
  --kept;
  return kSuccess;
}
#endif

#if defined(DRIVER)

typedef unsigned long long CUdeviceptr;
typedef struct {
  size_t width, height;
  unsigned format, channels;
} ArrayDescriptor;

EXPORT int cuMemAlloc_v2(CUdeviceptr* out, size_t bytes) { return take((void**)out, bytes); }
EXPORT int cuMemAllocManaged(CUdeviceptr* out, size_t bytes, unsigned flags) {
  return take((void**)out, bytes + 0 * flags);
}
EXPORT int cuMemAllocAsync(CUdeviceptr* out, size_t bytes, void* stream) {
  return stream == NULL ? take((void**)out, bytes) : kInvalidValue;
}
EXPORT int cuMemFree_v2(CUdeviceptr block) { return give((void*)block); }
EXPORT int cuMemFreeAsync(CUdeviceptr block, void* stream) {
  return stream == NULL ? give((void*)block) : kInvalidValue;
}
EXPORT int cuMemHostAlloc(void** out, size_t bytes, unsigned flags) {
  return flags < 8 ? take(out, bytes) : kInvalidValue;
}
EXPORT int cuMemFreeHost(void* block) { return give(block); }
EXPORT int cuArrayCreate_v2(void** out, const ArrayDescriptor* array) {
  return take(out, array->width * array->height * 8);
}
EXPORT int cuArrayDestroy(void* array) { return give(array); }
EXPORT int cuMipmappedArrayCreate(void** out, const void* array, unsigned levels) {
  return array != NULL ? take(out, levels * 64) : kInvalidValue;
}
EXPORT int cuMipmappedArrayDestroy(void* array) { return give(array); }
EXPORT int cuMemCreate(Handle* out, size_t bytes, const void* properties, unsigned long long flags) {
  return make_handle(out, bytes, properties, flags);
}
EXPORT int cuMemRetainAllocationHandle(Handle* out, void* where) { return keep_handle(out, where); }
EXPORT int cuMemImportFromShareableHandle(Handle* out, void* other, int kind) {
  return kind == 1 ? keep_handle(out, other) : kInvalidValue;
}
EXPORT int cuMemRelease(Handle handle) { return release_handle(handle); }

#elif defined(RUNTIME)

typedef unsigned long long CUdeviceptr;
extern int cuMemAlloc_v2(CUdeviceptr*, size_t);
extern int cuMemAllocManaged(CUdeviceptr*, size_t, unsigned);
extern int cuMemAllocAsync(CUdeviceptr*, size_t, void*);
extern int cuMemFree_v2(CUdeviceptr);
extern int cuMemFreeAsync(CUdeviceptr, void*);
extern int cuMemHostAlloc(void**, size_t, unsigned);
extern int cuMemFreeHost(void*);

typedef struct {
  size_t width, height, depth;
} Extent;
typedef struct {
  void* block;
  size_t pitch, width, height;
} Pitched;

static size_t pitch_of(size_t width) { return (width + 511) & ~(size_t)511; }

EXPORT int cudaMalloc(void** out, size_t bytes) { return cuMemAlloc_v2((CUdeviceptr*)out, bytes); }
EXPORT int cudaMallocManaged(void** out, size_t bytes, unsigned flags) {
  return cuMemAllocManaged((CUdeviceptr*)out, bytes, flags);
}
EXPORT int cudaMallocAsync(void** out, size_t bytes, void* stream) {
  return cuMemAllocAsync((CUdeviceptr*)out, bytes, stream);
}
EXPORT int cudaMallocPitch(void** out, size_t* pitch, size_t width, size_t height) {
  *pitch = pitch_of(width);
  return cuMemAlloc_v2((CUdeviceptr*)out, *pitch * height);
}
EXPORT int cudaMalloc3D(Pitched* out, Extent extent) {
  out->pitch = pitch_of(extent.width);
  out->width = extent.width;
  out->height = extent.height;
  return cuMemAlloc_v2((CUdeviceptr*)&out->block, out->pitch * extent.height * extent.depth);
}
EXPORT int cudaMallocArray(void** out, const void* format, size_t width, size_t height, unsigned flags) {
  return format != NULL && flags == 0 ? take(out, width * height * 16) : kInvalidValue;
}
EXPORT int cudaMalloc3DArray(void** out, const void* format, Extent extent, unsigned flags) {
  return format != NULL && flags == 7 ? take(out, extent.width * extent.height * extent.depth * 16) : kInvalidValue;
}
EXPORT int cudaFreeArray(void* array) { return give(array); }
EXPORT int cudaMallocMipmappedArray(void** out, const void* format, Extent extent, unsigned levels, unsigned flags) {
  return format != NULL && flags < 2 ? take(out, extent.width * extent.height * levels * 16) : kInvalidValue;
}
EXPORT int cudaFreeMipmappedArray(void* array) { return give(array); }
EXPORT int cudaHostAlloc(void** out, size_t bytes, unsigned flags) { return cuMemHostAlloc(out, bytes, flags); }
EXPORT int cudaMallocHost(void** out, size_t bytes) { return cuMemHostAlloc(out, bytes, 0); }
EXPORT int cudaFreeHost(void* block) { return cuMemFreeHost(block); }
EXPORT int cudaFree(void* block) { return block == NULL ? kSuccess : cuMemFree_v2((CUdeviceptr)block); }
EXPORT int cudaFreeAsync(void* block, void* stream) { return cuMemFreeAsync((CUdeviceptr)block, stream); }

#else

EXPORT int hipMalloc(void** out, size_t bytes) { return take(out, bytes); }
EXPORT int hipFree(void* block) { return give(block); }
EXPORT int hipHostMalloc(void** out, size_t bytes, unsigned flags) {
  return flags < 8 ? take(out, bytes) : kInvalidValue;
}
EXPORT int hipHostFree(void* block) { return give(block); }
typedef struct {
  size_t width, height, depth;
} Extent;
EXPORT int hipMallocMipmappedArray(void** out, const void* format, Extent extent, unsigned levels, unsigned flags) {
  return format != NULL && flags < 2 ? take(out, extent.width * extent.height * levels * 16) : kInvalidValue;
}
EXPORT int hipFreeMipmappedArray(void* array) { return give(array); }
EXPORT int hipMemCreate(Handle* out, size_t bytes, const void* properties, unsigned long long flags) {
  return make_handle(out, bytes, properties, flags);
}
EXPORT int hipMemRetainAllocationHandle(Handle* out, void* where) { return keep_handle(out, where); }
EXPORT int hipMemRelease(Handle handle) { return release_handle(handle); }

#endif
