// The functions of CUDA's runtime and driver and of HIP that take memory and give it back. For the table of allocators
// alone.
//
// Sources: CUDA 12 and 13 (cuda_runtime_api.h, cuda.h), HIP 6 (hip_runtime_api.h).
#pragma once

#include "allocators/function_rows.h"

namespace memprof::rows {

inline size_t stored(uint64_t argument) { return *reinterpret_cast<const size_t*>(argument); }
inline size_t or_one(size_t value) { return value != 0 ? value : 1; }

// (block**, pitch*, width, height)
inline size_t pitched_bytes(const Arguments& arguments) { return stored(arguments[1]) * or_one(arguments[3]); }

// (cudaPitchedPtr* {block, pitch, …}, extent by value: width, height, depth)
inline size_t pitched_3d_bytes(const Arguments& arguments) {
  const auto* pitched = reinterpret_cast<const size_t*>(arguments[0]);
  return pitched[1] * or_one(arguments.stack[1]) * or_one(arguments.stack[2]);
}

// cudaChannelFormatDesc and hipChannelFormatDesc: the bits of four channels.
inline size_t channel_bytes(uint64_t descriptor) {
  const auto* bits = reinterpret_cast<const int32_t*>(descriptor);
  return static_cast<size_t>(bits[0] + bits[1] + bits[2] + bits[3]) / 8;
}
// (array*, format*, width, height, flags)
inline size_t array_bytes(const Arguments& arguments) {
  return channel_bytes(arguments[1]) * arguments[2] * or_one(arguments[3]);
}
// (array*, format*, extent by value, flags)
inline size_t array_3d_bytes(const Arguments& arguments) {
  return channel_bytes(arguments[1]) * arguments.stack[0] * or_one(arguments.stack[1]) * or_one(arguments.stack[2]);
}

// CUarray_format: what one channel takes.
inline size_t format_bytes(uint32_t format) {
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
inline size_t driver_array_bytes(const Arguments& arguments) {
  const auto* sizes = reinterpret_cast<const size_t*>(arguments[1]);
  const auto* rest = reinterpret_cast<const uint32_t*>(sizes + 2);
  return sizes[0] * or_one(sizes[1]) * format_bytes(rest[0]) * or_one(rest[1]);
}
// (array*, CUDA_ARRAY3D_DESCRIPTOR* {width, height, depth, format, channels, flags})
inline size_t driver_array_3d_bytes(const Arguments& arguments) {
  const auto* sizes = reinterpret_cast<const size_t*>(arguments[1]);
  const auto* rest = reinterpret_cast<const uint32_t*>(sizes + 3);
  return sizes[0] * or_one(sizes[1]) * or_one(sizes[2]) * format_bytes(rest[0]) * or_one(rest[1]);
}

// All levels: each has half of the width, of the height and, where it does not count layers or faces, of the depth.
inline size_t mipmapped_bytes(size_t element_bytes, const size_t (&extent)[3], uint64_t levels, uint64_t flags) {
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
inline size_t mipmapped_array_bytes(const Arguments& arguments) {
  return mipmapped_bytes(channel_bytes(arguments[1]), {arguments.stack[0], arguments.stack[1], arguments.stack[2]},
                         arguments[2], arguments[3]);
}
// (array*, CUDA_ARRAY3D_DESCRIPTOR*, levels)
inline size_t driver_mipmapped_array_bytes(const Arguments& arguments) {
  const auto* sizes = reinterpret_cast<const size_t*>(arguments[1]);
  const auto* rest = reinterpret_cast<const uint32_t*>(sizes + 3);
  return mipmapped_bytes(format_bytes(rest[0]) * or_one(rest[1]), {sizes[0], sizes[1], sizes[2]}, arguments[2],
                         rest[2]);
}

// _ptsz: compiled with a default stream for each thread.
inline constexpr Function kCudaFunctions[] = {
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
inline constexpr Function kCudaDriverFunctions[] = {
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
inline constexpr Function kHipFunctions[] = {
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

}  // namespace memprof::rows
