#include "samples/memory_files.h"

#include <atomic>

#include "platform/high_descriptor.h"
#include "platform/syscalls.h"
#include "platform/text.h"

namespace memprof {

using format::MemorySample;

namespace {

// Not /proc/self: that is the main thread, which has no memory any more when it has left before the others.
constexpr const char* kStatm = "/proc/thread-self/statm";
constexpr const char* kRollup = "/proc/thread-self/smaps_rollup";

// What is open, for a child: the number is closed there only if it still is the same file.
struct OpenFile {
  std::atomic<int> fd{-1};
  dev_t device = 0;
  ino_t inode = 0;
};
constinit OpenFile open_now;
constinit char text[4096];

// 0: nothing to be had. One read: the kernel computes the text anew for each.
size_t read_text(const char* path) {
  const long opened = sys::open_file(path, O_RDONLY | O_CLOEXEC);
  if (opened < 0) return 0;
  const int fd = move_high(static_cast<int>(opened));
  struct stat status;
  if (sys::status(fd, &status) == 0) {
    open_now.device = status.st_dev;
    open_now.inode = status.st_ino;
    open_now.fd.store(fd, std::memory_order_release);  // pairs with close_inherited_memory_file
  }
  const long bytes = sys::read_file(fd, text, sizeof(text));
  open_now.fd.store(-1, std::memory_order_relaxed);
  sys::close_file(fd);
  return bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Skips spaces; false where no number follows.
bool take_number(const char** at, const char* end, uint64_t* value) {
  while (*at != end && **at == ' ') ++*at;
  if (*at == end || !is_digit(**at)) return false;
  *value = 0;
  for (; *at != end && is_digit(**at); ++*at) *value = *value * 10 + static_cast<uint64_t>(**at - '0');
  return true;
}

struct RollupField {
  const char* name;
  uint64_t MemorySample::*field;
};
constexpr RollupField kRollupFields[] = {
    {"Rss", &MemorySample::exact_resident_bytes},
    {"Pss", &MemorySample::proportional_bytes},
    {"Shared_Clean", &MemorySample::shared_clean_bytes},
    {"Shared_Dirty", &MemorySample::shared_dirty_bytes},
    {"Private_Clean", &MemorySample::private_clean_bytes},
    {"Private_Dirty", &MemorySample::private_dirty_bytes},
    {"Referenced", &MemorySample::referenced_bytes},
    {"Anonymous", &MemorySample::anonymous_bytes},
    {"Swap", &MemorySample::swap_bytes},
};

bool begins_with_key(const char* line, const char* end, const char* name) {
  for (; *name != '\0'; ++name, ++line) {
    if (line == end || *line != *name) return false;
  }
  return line != end && *line == ':';
}

}  // namespace

// "size resident shared text lib data dt", in pages.
bool parse_statm(const char* from, size_t bytes, uint64_t memory_page_size, MemorySample* sample) {
  const char* end = from + bytes;
  uint64_t pages[3];
  for (uint64_t& number : pages) {
    if (!take_number(&from, end, &number)) return false;
  }
  if (pages[0] == 0) return false;  // of a process that has given its memory back
  sample->virtual_bytes = pages[0] * memory_page_size;
  sample->resident_bytes = pages[1] * memory_page_size;
  sample->file_bytes = pages[2] * memory_page_size;
  return true;
}

// A line with the range, then "Name:   123 kB" each.
bool parse_rollup(const char* from, size_t bytes, MemorySample* sample) {
  const char* end = from + bytes;
  bool any = false;
  while (from != end) {
    for (const RollupField& field : kRollupFields) {
      if (!begins_with_key(from, end, field.name)) continue;
      const char* at = from + text_length(field.name) + 1;
      uint64_t kibibytes = 0;
      if (!take_number(&at, end, &kibibytes)) continue;
      sample->*field.field = kibibytes * 1024;
      any = true;
    }
    while (from != end && *from != '\n') ++from;
    if (from != end) ++from;
  }
  return any;
}

bool read_statm(uint64_t memory_page_size, MemorySample* sample) {
  return parse_statm(text, read_text(kStatm), memory_page_size, sample);
}

bool read_rollup(MemorySample* sample) { return parse_rollup(text, read_text(kRollup), sample); }

void close_inherited_memory_file() {
  const int fd = open_now.fd.exchange(-1, std::memory_order_acquire);  // pairs with read_text
  struct stat status;
  if (fd >= 0 && sys::status(fd, &status) == 0 && status.st_dev == open_now.device && status.st_ino == open_now.inode) {
    sys::close_file(fd);
  }
}

}  // namespace memprof
