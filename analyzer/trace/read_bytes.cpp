#include "trace/read_bytes.h"

#include <sys/types.h>
#include <unistd.h>

#include <cerrno>

namespace memprof {

size_t read_bytes(int descriptor, uint64_t offset, std::span<std::byte> out, int& error) {
  error = 0;
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t got = ::pread(descriptor, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got > 0) {
      done += static_cast<size_t>(got);
    } else if (got == 0) {
      break;
    } else if (errno != EINTR) {
      error = errno;
      break;
    }
  }
  return done;
}

}  // namespace memprof
