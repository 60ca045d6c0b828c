// Ranges of numbers as they are typed: ">=4096", "<1K", "4K..1M", "4K..", "..1M", "=100", "100".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace memprof {

struct NumberRange {
  uint64_t least = 0, most = UINT64_MAX;  // both included
  std::string problem;                    // when set, the text is no range
};

// Bytes: B, K, M, G, T and KiB, MiB, ...; 1 K is 1024. "1.5M"
std::optional<uint64_t> parse_bytes(std::string_view text);
NumberRange parse_size_range(std::string_view text);
// Units as in parse_duration_ns (report/moment.h).
NumberRange parse_time_range(std::string_view text);

// ">=4096" as ">= 4096", for a sentence.
std::string spaced_range(std::string_view text);

}  // namespace memprof
