#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "trace/file_descriptor.h"

namespace memprof {

// A file, open for reading.
struct RegularFile {
  FileDescriptor fd;
  struct stat status = {};
  std::string error;  // why fd is not open
};

// Opens `path` for reading if it is a regular file of at most `max_bytes`. Paths come from traces and from
// the files those name: a fifo must not block the reader and a device must not even be opened (opening a
// watchdog or a tape has effects), so the type is asked before opening and again after it.
// `follow_links` false: a symbolic link as the last component is refused.
RegularFile open_regular_file(const std::string& path, uint64_t max_bytes, bool follow_links = true);

}  // namespace memprof
