// Numbers as people read them. Bytes are in binary units: 1 KiB = 1024 B.
#pragma once

#include <cstdint>
#include <string>

namespace memprof {

std::string format_count(uint64_t count);             // 1,234,567
std::string format_bytes(uint64_t bytes);             // 512 B, 1.50 MiB
std::string format_duration(uint64_t ns);             // 1.203 s, 12.3 ms
std::string format_share(double part, double whole);  // 16.2 %

// "1 block", "2 blocks"
std::string count_of(uint64_t count, const char* singular, const char* plural);

}  // namespace memprof
