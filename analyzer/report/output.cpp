#include "report/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace memprof {

OutputError::OutputError(int error)
    : std::runtime_error(fmt::format("cannot write the report: {}", std::strerror(error))), error_(error) {}

bool OutputError::is_closed_pipe() const { return error_ == EPIPE; }

void Output::flush() {
  if (text_) {
    *text_ += buffer_;
    buffer_.clear();
    return;
  }
  size_t done = 0;
  while (done < buffer_.size()) {
    const ssize_t wrote = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (wrote >= 0) {
      done += static_cast<size_t>(wrote);
    } else if (errno != EINTR) {
      const int error = errno;
      buffer_.clear();
      throw OutputError(error);
    }
  }
  buffer_.clear();
}

}  // namespace memprof
