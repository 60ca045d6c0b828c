#include "snapshot/resident_ranges.h"

#include <unistd.h>

#include "platform/syscalls.h"

namespace memprof {

namespace {

constexpr uint64_t kIsPresent = uint64_t{1} << 63, kIsSwapped = uint64_t{1} << 62;  // of an entry of the page map

// The kernel's struct pm_scan_arg and page_region (Linux 6.7, linux/fs.h).
struct PageRegion {
  uint64_t start, end, categories;
};
struct ScanArguments {
  uint64_t size, flags, start, end, walk_end, regions, region_count, most_pages, inverted, all_of, any_of, wanted;
};
static_assert(sizeof(ScanArguments) == 96);
constexpr long kScanRequest = 0xc0606610;  // _IOWR('f', 16, struct pm_scan_arg)
constexpr uint64_t kScanPresent = 1 << 3, kScanSwapped = 1 << 4;

size_t page_bytes() {
  static constinit size_t bytes = 0;
  if (bytes == 0) bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

ResidentRanges::ResidentRanges()
    : descriptor_(static_cast<int>(sys::open_file("/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC))) {}

ResidentRanges::~ResidentRanges() {
  if (descriptor_ >= 0) sys::close_file(descriptor_);
}

bool ResidentRanges::next(const Mapping& mapping, uintptr_t from, Range* out) {
  // A fork copies no page table of shared memory: what the page map says of it is the child's alone.
  if (mapping.kind == format::SnapshotRangeKind::shared) return next_shared(from, mapping.end, out);
  if (can_scan_ && next_by_scan(from, mapping.end, out)) return true;
  can_scan_ = false;
  return next_by_page_map(from, mapping.end, out);
}

bool ResidentRanges::next_by_scan(uintptr_t from, uintptr_t end, Range* out) {
  PageRegion region{};
  ScanArguments arguments{};
  arguments.size = sizeof(arguments);
  arguments.start = from;
  arguments.end = end;
  arguments.regions = reinterpret_cast<uintptr_t>(&region);
  arguments.region_count = 1;
  arguments.any_of = arguments.wanted = kScanPresent | kScanSwapped;
  const long found = sys::call(SYS_ioctl, descriptor_, kScanRequest, sys::arg(&arguments));
  if (found < 0) return false;
  // Regions differ by category, too: what is swapped out follows as another.
  *out = found == 0 ? Range{end, end} : Range{region.start, region.end};
  return true;
}

bool ResidentRanges::next_by_page_map(uintptr_t from, uintptr_t end, Range* out) {
  uint64_t entries[512];
  *out = {end, end};
  const size_t page = page_bytes();
  while (from < end) {
    const size_t pages = (end - from) / page;
    const size_t count = pages < sizeof(entries) / sizeof(*entries) ? pages : sizeof(entries) / sizeof(*entries);
    const long bytes =
        sys::call(SYS_pread64, descriptor_, sys::arg(entries), static_cast<long>(count * sizeof(*entries)),
                  static_cast<long>(from / page * sizeof(*entries)));
    if (bytes < static_cast<long>(sizeof(*entries))) return false;
    const size_t got = static_cast<size_t>(bytes) / sizeof(*entries);
    for (size_t i = 0; i < got; ++i) {
      const bool is_there = (entries[i] & (kIsPresent | kIsSwapped)) != 0;
      if (is_there && out->start == end) out->start = from + i * page;
      if (!is_there && out->start != end) {
        out->end = from + i * page;
        return true;
      }
    }
    from += got * page;
  }
  return true;
}

bool ResidentRanges::next_shared(uintptr_t from, uintptr_t end, Range* out) {
  unsigned char is_resident[512];
  *out = {end, end};
  const size_t page = page_bytes();
  while (from < end) {
    const size_t pages = (end - from + page - 1) / page;
    const size_t count = pages < sizeof(is_resident) ? pages : sizeof(is_resident);
    if (sys::call(SYS_mincore, static_cast<long>(from), static_cast<long>(count * page), sys::arg(is_resident)) != 0)
      return false;
    for (size_t i = 0; i < count; ++i) {
      const bool is_there = (is_resident[i] & 1) != 0;
      if (is_there && out->start == end) out->start = from + i * page;
      if (!is_there && out->start != end) {
        out->end = from + i * page;
        return true;
      }
    }
    from += count * page;
  }
  return true;
}

}  // namespace memprof
