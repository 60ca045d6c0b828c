// Magic, version and the checks of the two headers, version by version: the only place that knows what an older
// release wrote differently.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "memprof/trace_format.h"

namespace memprof {

// Checks the fixed part and returns the header. `bytes` is what the file has of it. Throws TraceError.
format::FileHeader parse_file_header(const std::string& file, std::span<const std::byte> bytes, uint64_t size_bytes);

// nullptr, or what is wrong with the header of a written page.
const char* page_header_error(const format::PageHeader& head, uint64_t page, uint32_t page_size);

}  // namespace memprof
