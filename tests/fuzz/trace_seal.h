// The checksums of a trace, put right.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memprof::fuzz {

// What the header says, where that can be; else the least.
size_t page_size_of(const uint8_t* data, size_t size);

// The header's checksum, and number and checksum of every page that says that it is sealed.
void seal_trace(uint8_t* data, size_t size);

}  // namespace memprof::fuzz
