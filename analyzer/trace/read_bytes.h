// pread until the span is full, the file ends or an error stops it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace memprof {

// Returns the bytes read; `error` is an errno value or 0.
size_t read_bytes(int descriptor, uint64_t offset, std::span<std::byte> out, int& error);

}  // namespace memprof
