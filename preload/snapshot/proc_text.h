// What the kernel tells of the process as text.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "platform/syscalls.h"

namespace memprof {

// Hexadecimal digits, then one character that follows them.
inline bool take_hex(const char** at, const char* end, uint64_t* value) {
  *value = 0;
  const char* const begin = *at;
  for (; *at != end; ++*at) {
    const char c = **at;
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) break;
    *value = *value << 4 | static_cast<uint64_t>(digit);
  }
  if (*at == begin || *at == end) return false;
  ++*at;
  return true;
}

inline bool starts_with(const char* at, const char* end, const char* prefix) {
  for (; *prefix != '\0'; ++prefix, ++at)
    if (at == end || *at != *prefix) return false;
  return true;
}

// visit(begin, end) for each line of the file, its end left out, while it returns true. False: the file or memory
// cannot be had, or it returned false.
template <class Visit>
bool visit_lines(const char* path, Visit&& visit) {
  constexpr size_t kTextBytes = size_t{64}
                                << 10;  // a line is shorter: paths have at most 4096 bytes, escaped ones 16384
  auto* const text = static_cast<char*>(sys::map_anonymous(kTextBytes));
  const long opened = sys::open_file(path, O_RDONLY | O_CLOEXEC);
  bool good = text != nullptr && opened >= 0;
  size_t held = 0;
  while (good) {
    const long bytes = sys::read_file(static_cast<int>(opened), text + held, kTextBytes - held);
    if (bytes < 0) good = false;
    if (bytes <= 0) break;
    held += static_cast<size_t>(bytes);
    const char* line = text;
    for (const char* at = text; good && at != text + held; ++at) {
      if (*at != '\n') continue;
      good = visit(line, at);
      line = at + 1;
    }
    const size_t done = static_cast<size_t>(line - text);
    if (done == 0 && held == kTextBytes) good = false;
    held -= done;
    __builtin_memmove(text, line, held);
  }
  if (opened >= 0) sys::close_file(static_cast<int>(opened));
  if (text != nullptr) sys::unmap_anonymous(text, kTextBytes);
  return good;
}

// Of getdents64.
struct DirectoryEntry {
  uint64_t inode, offset;
  uint16_t bytes;
  unsigned char type;
  char name[1];
};

// visit(number) for each entry of the directory that is a number, not 0, while it returns true. False: it cannot be
// read, or it returned false.
template <class Visit>
bool visit_numbers(const char* path, Visit&& visit) {
  const long opened = sys::open_file(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return false;
  alignas(DirectoryEntry) char text[1024];
  long bytes;
  bool good = true;
  while (good && (bytes = sys::call(SYS_getdents64, opened, sys::arg(text), sizeof(text))) > 0) {
    for (long at = 0; good && at < bytes;) {
      const auto* const entry = reinterpret_cast<const DirectoryEntry*>(text + at);
      at += entry->bytes;
      uint32_t number = 0;
      for (const char* digit = entry->name; *digit >= '0' && *digit <= '9'; ++digit)
        number = number * 10 + static_cast<uint32_t>(*digit - '0');
      if (number != 0) good = visit(number);
    }
  }
  sys::close_file(static_cast<int>(opened));
  return good && bytes == 0;
}

}  // namespace memprof
