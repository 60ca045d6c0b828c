// The input of a fuzzer as a file that TraceFile opens.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>

#include "trace/trace_file.h"

namespace memprof::fuzz {

// Throws TraceError as TraceFile does.
inline TraceFile open_input(const uint8_t* data, size_t size) {
  const int descriptor = ::memfd_create("fuzz", MFD_CLOEXEC);
  if (descriptor < 0 || ::write(descriptor, data, size) != static_cast<ssize_t>(size))
    throw std::runtime_error("no memory file");
  return TraceFile::from_descriptor(descriptor, "fuzz");
}

// What the reader promises, whatever the input.
inline void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace memprof::fuzz
