#include "trace/page_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "trace/compressed_pages.h"
#include "trace/file_descriptor.h"
#include "trace/read_bytes.h"
#include "trace/trace_error.h"

namespace memprof {

namespace {

// A trace file as it was written.
class PlainPages : public PageSource {
 public:
  explicit PlainPages(FileDescriptor file) : file_(std::move(file)) {}

  uint64_t size_bytes() const override {
    struct stat status;
    return ::fstat(file_.get(), &status) == 0 && status.st_size > 0 ? static_cast<uint64_t>(status.st_size) : 0;
  }
  uint64_t stored_bytes() const override { return size_bytes(); }
  bool is_compressed() const override { return false; }
  size_t read(uint64_t offset, std::span<std::byte> out, int& error) const override {
    return read_bytes(file_.get(), offset, out, error);
  }
  uint64_t next_data(uint64_t offset) const override {
    const off_t data = ::lseek(file_.get(), static_cast<off_t>(offset), SEEK_DATA);
    if (data >= 0) return static_cast<uint64_t>(data);
    return errno == ENXIO ? std::numeric_limits<uint64_t>::max() : offset;
  }

 private:
  FileDescriptor file_;
};

}  // namespace

std::unique_ptr<PageSource> open_page_source(int descriptor, const std::string& name) {
  FileDescriptor file(descriptor);
  struct stat status;
  if (::fstat(descriptor, &status) != 0) throw TraceError(name, 0, "a readable trace file", std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    throw TraceError(name, 0, "a regular file", S_ISDIR(status.st_mode) ? "a directory" : "something else");
  if (CompressedPages::is_compressed(descriptor)) return std::make_unique<CompressedPages>(std::move(file), name);
  return std::make_unique<PlainPages>(std::move(file));
}

}  // namespace memprof
