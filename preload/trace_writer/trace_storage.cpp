#include "trace_writer/trace_storage.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <atomic>

#include "platform/high_descriptor.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "trace_writer/trace_writer.h"

namespace memprof {

using format::DropCause;
using format::kPageSize;

namespace {

constexpr uint64_t kFirstGrowthPages = 16;
constexpr uint64_t kMostGrowthPages = 64;
constexpr uint64_t kFolioPages = 4;
constexpr int kTries = 16;  // against a thread that closes every number, again and again

struct OpenFile {
  uint32_t owner = 0;
  int fd = -1;              // the owner's number
  int guest_fd = -1;        // a vfork child's
  uint32_t lost_guest = 0;  // the last of them that could not open it
  dev_t device = 0;
  ino_t inode = 0;
  uint64_t limit_pages = 0;
  uint64_t growth_pages = kFirstGrowthPages;
  bool large_folios = false;
  bool keeps_blocks = true;  // a block that was reserved takes every store
  bool reserves_by_zeros = false;
  uint64_t allocated = 0;  // pages with blocks, those that are held back included
  Text<4352> path;
};
constinit OpenFile file;
constinit std::atomic<uint64_t> reserved{0};  // pages below have disk blocks

long write_zeros(int fd, uint64_t offset, uint64_t bytes) {
  static constinit const char zeros[4096] = {};
  constexpr uint64_t kPieceBytes = kFolioPages * kPageSize;
  while (bytes > 0) {
    const auto copies = static_cast<unsigned>((bytes < kPieceBytes ? bytes : kPieceBytes) / sizeof(zeros));
    const long written = sys::write_copies_at(fd, zeros, sizeof(zeros), copies, offset);
    if (written == -EINTR) continue;
    if (written <= 0) return written < 0 ? written : -EIO;
    offset += static_cast<uint64_t>(written);
    bytes -= static_cast<uint64_t>(written);
  }
  return 0;
}

long reserve_blocks(int fd, uint64_t offset, uint64_t bytes) {
  long result;
  do {
    result = sys::reserve(fd, offset, bytes);
  } while (result == -EINTR);
  const bool not_offered = result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV;
  if (not_offered) file.reserves_by_zeros = true;
  return not_offered ? write_zeros(fd, offset, bytes) : result;
}

// Beyond this the kernel would send SIGXFSZ, also for a write to blocks that were reserved before the limit was set.
uint64_t most_pages_of_file() {
  struct rlimit limit;
  const bool limited = sys::resource_limit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return limited ? limit.rlim_cur / kPageSize : UINT64_MAX;
}

DropCause cause_of(long error) {
  if (error == -ENOSPC || error == -EDQUOT) return DropCause::no_space;
  if (error == -EFBIG) return DropCause::file_limit;
  return DropCause::io_error;
}

void look_at_filesystem() {
  constexpr uint32_t kExt = 0xEF53, kXfs = 0x58465342, kTmpfs = 0x01021994, kRamfs = 0x858458F6;
  struct statfs system;
  const auto type = sys::file_system(file.fd, &system) == 0 ? static_cast<uint32_t>(system.f_type) : 0;
  file.large_folios = type == kExt;
  file.keeps_blocks = type == kExt || type == kXfs || type == kTmpfs || type == kRamfs;
}

// A filesystem that copies on write (btrfs, ZFS) looks for room anew at the first store after a page was written out,
// and sends SIGBUS where there is none. So recording stops while the disk has some left, for the pages that are in use;
// and as no call tells of a quota, blocks behind the file's end are held that nobody uses.
bool is_almost_full() {
  constexpr uint64_t kLeastFreeBytes = 16u << 20;
  struct statfs system;
  if (file.keeps_blocks || sys::file_system(file.fd, &system) != 0 || system.f_blocks == 0) return false;
  return system.f_bavail * static_cast<uint64_t>(system.f_bsize) < kLeastFreeBytes;
}

uint64_t with_margin(uint64_t pages, uint64_t most_pages) {
  constexpr uint64_t kMarginPages = 64;  // 1 MiB
  if (file.keeps_blocks) return pages;
  return pages + kMarginPages < most_pages ? pages + kMarginPages : most_pages;
}

}  // namespace

void adopt_file(const OutputFile& made, uint64_t limit_bytes, uint32_t owner) {
  struct stat status;
  sys::status(made.fd, &status);
  file.device = status.st_dev;
  file.inode = status.st_ino;
  set_trace_path(made.path);
  file.owner = owner;
  file.fd = move_high(made.fd);
  file.guest_fd = -1;
  file.lost_guest = 0;
  file.limit_pages = limit_bytes / kPageSize;
  if (limit_bytes != 0 && file.limit_pages < 2) file.limit_pages = 2;
  file.growth_pages = kFirstGrowthPages;
  look_at_filesystem();
  file.reserves_by_zeros = false;
  file.allocated = 0;
  reserved.store(0, std::memory_order_relaxed);
}

bool reserves_by_zeros() { return file.reserves_by_zeros; }

void close_descriptor() {
  struct stat status;
  if (is_our_file(file.fd, &status)) sys::close_file(file.fd);
  file.fd = -1;
}

void set_trace_path(const char* path) {
  file.path.clear();
  file.path.add(path);
}
const char* trace_path() { return file.path.c_str(); }

bool is_our_file(int fd, struct stat* status) {
  return fd >= 0 && sys::status(fd, status) == 0 && status->st_dev == file.device && status->st_ino == file.inode;
}

namespace {

// -1 when that is not our file. One that is closed before it was looked at is opened again.
int open_again(const char* path, int flags) {
  for (int tries = 0; tries < kTries; ++tries) {
    const auto fd = static_cast<int>(sys::open_file(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | flags));
    struct stat status;
    if (fd < 0) return -1;
    if (is_our_file(fd, &status)) return move_high(fd);
    const bool is_another = sys::status(fd, &status) == 0;
    if (is_another) sys::close_file(fd);
    if (is_another) return -1;
  }
  return -1;
}

// What the owner has open can be opened through it, when the path does not lead there from here.
int open_through_owner() {
  Text<64> path;
  path.add("/proc/").add_number(file.owner).add("/fd/").add_number(static_cast<uint64_t>(file.fd));
  return open_again(path.c_str(), 0);
}

}  // namespace

bool is_vfork_child() { return sys::may_call() && sys::process_id() != file.owner; }

int descriptor() {
  struct stat status;
  if (is_our_file(file.fd, &status)) return file.fd;
  const uint32_t process = sys::process_id();
  const bool is_guest = sys::may_call() && process != file.owner;
  if (is_guest && process == file.lost_guest) return -1;  // each of its events asks
  if (is_guest && is_our_file(file.guest_fd, &status)) return file.guest_fd;
  int& number = is_guest ? file.guest_fd : file.fd;
  int opened = open_again(file.path.c_str(), O_NOFOLLOW);
  if (opened < 0 && is_guest && file.fd >= 0) opened = open_through_owner();
  if (opened >= 0) return number = opened;
  if (is_guest) file.lost_guest = process;
  return -1;
}

bool is_removed() {
  struct stat status;
  return is_our_file(descriptor(), &status) && status.st_nlink == 0;
}

// ext4 makes a page-cache folio as large as the write that brings the pages in. A first store to such pages costs a
// quarter of what it costs to pages that faults bring in one by one (4.7 us against 18 for 16 KiB). The blocks are
// reserved, so it cannot fail for want of space, and if it fails nothing is lost. Each thread does it for its own run:
// done as the file grows, with 13 % of all the time under a lock, it kept two threads at 1.45 times the events of one.
void prepare_pages(int fd, uint64_t first_page, uint64_t end_page) {
  if (!file.large_folios) return;
  const uint64_t end_of_folio = first_page - first_page % kFolioPages + kFolioPages;
  if (end_page > end_of_folio) end_page = end_of_folio;
  if (end_page <= most_pages_of_file()) write_zeros(fd, first_page * kPageSize, (end_page - first_page) * kPageSize);
}
bool starts_folio(uint64_t page) { return page % kFolioPages == 0; }

uint64_t reserved_pages() { return reserved.load(std::memory_order_acquire); }  // pairs with grow_to

Growth grow_to(uint64_t pages) {
  if (reserved.load(std::memory_order_relaxed) >= pages) return {true, {}};
  if (file.limit_pages != 0 && pages > file.limit_pages) return {false, DropCause::trace_limit};
  int fd = descriptor();
  if (fd < 0) return {false, DropCause::file_lost};

  uint64_t most_pages = most_pages_of_file();
  if (pages > most_pages) return {false, DropCause::file_limit};
  if (is_almost_full()) return {false, DropCause::no_space};
  if (file.limit_pages != 0 && file.limit_pages < most_pages) most_pages = file.limit_pages;
  uint64_t target = pages + file.growth_pages < most_pages ? pages + file.growth_pages : most_pages;

  const auto allocate = [&] {
    const uint64_t end = with_margin(target, most_pages);
    if (end <= file.allocated) return 0L;
    const uint64_t bytes = (end - file.allocated) * kPageSize;
    long result = reserve_blocks(fd, file.allocated * kPageSize, bytes);
    if (result == -EBADF && (fd = descriptor()) >= 0)  // closed meanwhile
      result = reserve_blocks(fd, file.allocated * kPageSize, bytes);
    if (result == 0) file.allocated = end;
    return result;
  };
  long result = allocate();
  if (result != 0 && target > pages && file.keeps_blocks) {
    target = pages;  // the disk may still have room for this one
    result = allocate();
  }
  if (result != 0) return {false, cause_of(result)};
  if (file.growth_pages < kMostGrowthPages) file.growth_pages *= 2;
  reserved.store(target, std::memory_order_release);  // pairs with the acquire in reserved_pages
  return {true, {}};
}

Mapped map_pages(uint64_t first_page, uint64_t pages, bool are_new) {
  for (int tries = 0; tries < kTries; ++tries) {
    const int fd = descriptor();
    if (fd < 0) break;
    if (are_new) prepare_pages(fd, first_page, first_page + pages);
    void* start = sys::map(pages * kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, first_page * kPageSize);
    struct stat status;
    const bool ours = is_our_file(fd, &status);
    if (start == nullptr && ours) return {nullptr, 0, DropCause::no_memory};
    if (ours) return {static_cast<unsigned char*>(start), static_cast<uint64_t>(status.st_size), {}};
    if (start != nullptr) sys::unmap(start, pages * kPageSize);
  }
  return {nullptr, 0, DropCause::file_lost};
}

void flush_file() {
  const int fd = descriptor();
  if (fd >= 0) sys::call(SYS_fdatasync, fd);
}

void cut_file(uint64_t pages) {
  const int fd = descriptor();
  if (fd < 0 || pages >= file.allocated) return;
  if (pages < reserved_pages()) reserved.store(pages, std::memory_order_relaxed);
  file.allocated = pages;
  sys::truncate(fd, pages * kPageSize);
}

}  // namespace memprof
