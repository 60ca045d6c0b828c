#include "trace/trace_error.h"

#include <fmt/format.h>

namespace memprof {

TraceError::TraceError(std::string file, uint64_t offset, std::string expected, std::string found)
    : std::runtime_error(fmt::format("{}: at offset {}: expected {}, found {}", file, offset, expected, found)),
      file_(std::move(file)),
      offset_(offset),
      expected_(std::move(expected)),
      found_(std::move(found)) {}

}  // namespace memprof
