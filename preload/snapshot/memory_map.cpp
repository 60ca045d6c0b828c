#include "snapshot/memory_map.h"

#include "platform/high_descriptor.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "snapshot/proc_text.h"
#include "stack_table/module_table.h"

namespace memprof {

using format::SnapshotRangeKind;

namespace {

// Larger ones are address space kept for later, most of all an arena's.
constexpr uint64_t kMostGuardBytes = uint64_t{1} << 20;

// Memory of a device, which reading may change; not a file that happens to lie there (/dev/shm, /dev/hugepages), nor
// the zeros, which are written to private memory.
bool is_device(const char* path, const char* end) {
  if (!starts_with(path, end, "/dev/") || starts_with(path, end, "/dev/zero")) return false;
  Text<512> name;
  for (; path != end; ++path) name.add(*path);
  struct stat found;
  return !name.cut() && sys::status_of_target(name.c_str(), &found) == 0 && !S_ISREG(found.st_mode);
}

}  // namespace

// START-END rwxp OFFSET MAJOR:MINOR INODE   PATH
bool MemoryMap::add_line(const char* at, const char* end) {
  uint64_t from, to, offset, major, minor;
  if (!take_hex(&at, end, &from) || !take_hex(&at, end, &to)) return true;
  if (end - at < 5) return true;
  const bool is_readable = at[0] == 'r', is_writable = at[1] == 'w', is_code = at[2] == 'x', is_shared = at[3] == 's';
  at += 5;
  if (!take_hex(&at, end, &offset) || !take_hex(&at, end, &major) || !take_hex(&at, end, &minor)) return true;
  uint64_t inode = 0;
  for (; at != end && *at >= '0' && *at <= '9'; ++at) inode = inode * 10 + static_cast<uint64_t>(*at - '0');
  while (at != end && *at == ' ') ++at;
  if (!is_readable) {
    if (inode == 0 && to - from <= kMostGuardBytes) guard_end_ = to;
    return true;
  }
  if (is_device(at, end)) return true;
  if (inode != 0 && !is_shared && !files_.add({from, to, is_code})) return false;
  // A page that may not be written any more may have been; but not code, a file's constants or the kernel's own.
  if (!is_writable && (is_code || inode != 0 || is_in_object(from) || starts_with(at, end, "[v"))) return true;
  SnapshotRangeKind kind = SnapshotRangeKind::anonymous;
  if (is_shared)
    kind = SnapshotRangeKind::shared;
  else if (inode != 0 || is_in_object(from))  // what a module has beyond its file is its data, too
    kind = SnapshotRangeKind::file;
  else if (starts_with(at, end, "[heap]"))
    kind = SnapshotRangeKind::program_break;
  else if (starts_with(at, end, "[stack]"))
    kind = SnapshotRangeKind::main_stack;
  const uint32_t flags = from == guard_end_ ? uint32_t{format::kRangeAboveGuard} : 0;
  return mappings_.add({from, to, kind, flags, is_shared ? major << 32 | minor : 0, is_shared ? inode : 0});
}

bool MemoryMap::read() {
  // Not /proc/self: that is the main thread, which has no memory any more when it has left before the others.
  return visit_lines("/proc/thread-self/maps", [this](const char* at, const char* end) { return add_line(at, end); }) &&
         !mappings_.is_empty();
}

}  // namespace memprof
