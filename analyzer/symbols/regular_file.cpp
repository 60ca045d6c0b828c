#include "symbols/regular_file.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace memprof {

namespace {

std::string type_complaint(const struct stat& status, uint64_t max_bytes) {
  if (S_ISLNK(status.st_mode)) return "is a symbolic link";
  if (!S_ISREG(status.st_mode)) return "is not a regular file";
  if (static_cast<uint64_t>(status.st_size) > max_bytes) return fmt::format("is larger than {} bytes", max_bytes);
  return {};
}

RegularFile failure(std::string reason) {
  RegularFile file;
  file.error = std::move(reason);
  return file;
}

// strerror is not thread-safe, and modules may be opened by several threads.
std::string errno_text(int error) {
  const char* text = strerrordesc_np(error);
  return text != nullptr ? text : fmt::format("error {}", error);
}

}  // namespace

RegularFile open_regular_file(const std::string& path, uint64_t max_bytes, bool follow_links) {
  if (path.empty() || path.size() >= PATH_MAX || path.find('\0') != std::string::npos)
    return failure("is not a usable path");

  RegularFile file;
  const int seen = follow_links ? ::stat(path.c_str(), &file.status) : ::lstat(path.c_str(), &file.status);
  if (seen != 0) return failure(errno_text(errno));
  if (auto complaint = type_complaint(file.status, max_bytes); !complaint.empty()) return failure(std::move(complaint));

  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (follow_links ? 0 : O_NOFOLLOW);
  file.fd = FileDescriptor(::open(path.c_str(), flags));
  if (!file.fd) return failure(errno_text(errno));
  if (::fstat(file.fd.get(), &file.status) != 0) return failure(errno_text(errno));
  if (auto complaint = type_complaint(file.status, max_bytes); !complaint.empty()) return failure(std::move(complaint));
  return file;
}

}  // namespace memprof
