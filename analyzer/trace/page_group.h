// Packs the payloads of a few pages into a group of a compressed trace and unpacks them: compressed_trace.h ("GROUP").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace memprof {

struct PayloadShape {
  bool is_events;
  uint32_t bytes;
};

// `payloads` has those of the pages one after the other, at most format::kMostGroupBytes.
std::vector<std::byte> pack_group(std::span<const PayloadShape> pages, std::span<const std::byte> payloads);

// False when the group does not hold just these pages. `payloads` has the size of all of them; a false group may
// have changed it.
bool unpack_group(std::span<const std::byte> group, std::span<const PayloadShape> pages, std::span<std::byte> payloads);

// One zstd frame, or the bytes themselves where it would be no shorter.
std::vector<std::byte> pack_bytes(std::span<const std::byte> bytes);
// `out` has the unpacked size. False when the bytes are something else.
bool unpack_bytes(std::span<const std::byte> packed, std::span<std::byte> out);

}  // namespace memprof
