// System calls made directly: no libc wrapper, so no errno is written, no hook of ours is met and nothing can be
// interposed. Each returns the kernel's result: negative errno on failure. All are async-signal-safe.
//
// All of them pass a gate. It is closed before the host installs a seccomp filter, which may kill the process for any
// call that the host itself does not make. Invariant: when close_gate() has returned, no system call of memprof is
// under way and none will be made; every one fails with -EPERM, and map_anonymous takes from what was mapped before.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <atomic>

namespace memprof::sys {

extern std::atomic<bool> gate_closed;
extern std::atomic<uint32_t>* calls_under_way;

// A moment, without the kernel.
inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}
inline bool may_call() { return !gate_closed.load(std::memory_order_relaxed); }
// Maps memory to go on with, once.
void reserve_memory();
// Waits, not for ever, until calls under way have returned: one that a signal handler left by longjmp never does.
void close_gate();  // by one thread at a time, and with no filter in force yet
// From now on calls are counted there, in memory that a fork wipes: calls of other threads do not come over.
void count_calls_in(std::atomic<uint32_t>* place);
void open_gate();
// Zeroed, from the reserve; nullptr when that is used up.
void* take_reserved(size_t bytes);

inline long enter_kernel(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
#if defined(__x86_64__)
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
#else
#error "memprof knows the system calls of x86-64 and aarch64"
#endif
}

inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  constexpr long kNotPermitted = -1;
  // seq_cst, both: pairs with close_gate. Either the gate is seen closed here, or the call under way is seen there.
  std::atomic<uint32_t>& under_way = *calls_under_way;
  under_way.fetch_add(1, std::memory_order_seq_cst);
  const long result =
      gate_closed.load(std::memory_order_seq_cst) ? kNotPermitted : enter_kernel(number, a, b, c, d, e, f);
  under_way.fetch_sub(1, std::memory_order_release);
  return result;
}

inline long arg(const void* pointer) { return reinterpret_cast<long>(pointer); }

// Both return nullptr on failure.
inline void* map_at(void* place, size_t bytes, int protection, int flags, int fd, uint64_t offset) {
  const long result =
      call(SYS_mmap, arg(place), static_cast<long>(bytes), protection, flags, fd, static_cast<long>(offset));
  return result < 0 && result > -4096 ? nullptr : reinterpret_cast<void*>(result);
}
inline void* map(size_t bytes, int protection, int flags, int fd, uint64_t offset) {
  return map_at(nullptr, bytes, protection, flags, fd, offset);
}
inline void unmap(void* start, size_t bytes) { call(SYS_munmap, arg(start), static_cast<long>(bytes)); }

// Zeroed private memory, or nullptr. What is mapped so is known as the recorder's own.
void* map_anonymous(size_t bytes);
void unmap_anonymous(void* start, size_t bytes);
inline constexpr uintptr_t kOwnMappingTaken = 1;
struct OwnMapping {
  std::atomic<uintptr_t> start;  // 0: none; kOwnMappingTaken: its end is not set yet
  uintptr_t end;
};
extern OwnMapping own_mappings[];
extern std::atomic<uint32_t> own_mapping_count;
// visit(start, end)
template <class Visit>
void visit_own_mappings(Visit&& visit) {
  const uint32_t count = own_mapping_count.load(std::memory_order_acquire);  // pairs with note_own
  for (uint32_t i = 0; i < count; ++i) {
    const uintptr_t start = own_mappings[i].start.load(std::memory_order_acquire);  // pairs with note_own
    if (start > kOwnMappingTaken) visit(start, own_mappings[i].end);
  }
}
// How much of a mapping is in memory.
inline size_t resident_bytes(const void* start, size_t bytes) {
  constexpr size_t kPageBytes = 4096, kPagesAtOnce = 256;
  unsigned char is_resident[kPagesAtOnce] = {};  // fewer are written where pages are larger
  size_t pages = 0;
  for (size_t at = 0; at < bytes; at += kPagesAtOnce * kPageBytes) {
    const size_t part = bytes - at < kPagesAtOnce * kPageBytes ? bytes - at : kPagesAtOnce * kPageBytes;
    const char* from = static_cast<const char*>(start) + at;
    if (call(SYS_mincore, arg(from), static_cast<long>(part), arg(is_resident)) != 0) continue;
    for (size_t i = 0; i < (part + kPageBytes - 1) / kPageBytes; ++i) pages += is_resident[i] & 1;
  }
  return pages * kPageBytes;
}
inline long advise(void* start, size_t bytes, int advice) {
  return call(SYS_madvise, arg(start), static_cast<long>(bytes), advice);
}

inline long open_file(const char* path, int flags, unsigned mode = 0) {
  return call(SYS_openat, AT_FDCWD, arg(path), flags, mode);
}
inline long close_file(int fd) { return call(SYS_close, fd); }
inline long status(int fd, struct stat* out) { return call(SYS_fstat, fd, arg(out)); }
inline long status_at(const char* path, struct stat* out, int flags) {
#if defined(SYS_newfstatat)
  return call(SYS_newfstatat, AT_FDCWD, arg(path), arg(out), flags);
#else
  return call(SYS_fstatat, AT_FDCWD, arg(path), arg(out), flags);
#endif
}
// Does not follow a link at the end of the path.
inline long status_of(const char* path, struct stat* out) { return status_at(path, out, AT_SYMLINK_NOFOLLOW); }
inline long status_of_target(const char* path, struct stat* out) { return status_at(path, out, 0); }
// Exclusive, without waiting; released by close_file.
inline long lock_file(int fd) { return call(SYS_flock, fd, 2 | 4 /* LOCK_EX | LOCK_NB */); }
inline long read_file(int fd, void* to, size_t bytes) { return call(SYS_read, fd, arg(to), static_cast<long>(bytes)); }
inline long write_file(int fd, const void* from, size_t bytes) {
  return call(SYS_write, fd, arg(from), static_cast<long>(bytes));
}
// Whether a write of a line would neither wait nor find a pipe that nobody reads.
inline bool takes_a_line(int fd) {
  struct {
    int fd;
    short events;
    short results;
  } entry{fd, 0x4 /* POLLOUT */, 0};  // the kernel's pollfd
  const long no_time[2] = {0, 0};     // its timespec
  return call(SYS_ppoll, arg(&entry), 1, arg(no_time), 0, sizeof(uint64_t)) == 1 && entry.results == entry.events;
}
// Up to 16 copies of the same bytes, by one call.
inline long write_copies_at(int fd, const void* from, size_t bytes, unsigned copies, uint64_t offset) {
  struct {
    const void* start;
    size_t bytes;
  } parts[16];  // the kernel's iovec
  for (unsigned i = 0; i < copies; ++i) parts[i] = {from, bytes};
  return call(SYS_pwritev, fd, arg(parts), static_cast<long>(copies), static_cast<long>(offset), 0);
}
inline long file_system(int fd, struct statfs* out) { return call(SYS_fstatfs, fd, arg(out)); }
inline long write_at(int fd, const void* from, size_t bytes, uint64_t offset) {
  return call(SYS_pwrite64, fd, arg(from), static_cast<long>(bytes), static_cast<long>(offset));
}
inline long reserve(int fd, uint64_t offset, uint64_t bytes) {
  return call(SYS_fallocate, fd, 0, static_cast<long>(offset), static_cast<long>(bytes));
}
inline long truncate(int fd, uint64_t bytes) { return call(SYS_ftruncate, fd, static_cast<long>(bytes)); }
inline long control(int fd, int command, long argument) { return call(SYS_fcntl, fd, command, argument); }
inline long rename(const char* from, const char* to) {
  return call(SYS_renameat2, AT_FDCWD, arg(from), AT_FDCWD, arg(to), 0);
}
// Fails with -EEXIST instead of replacing `to`.
inline long rename_new(const char* from, const char* to) {
  constexpr long kNoReplace = 1;
  return call(SYS_renameat2, AT_FDCWD, arg(from), AT_FDCWD, arg(to), kNoReplace);
}
// `from` is a link of /proc/self/fd. Fails with -EEXIST instead of replacing `to`.
inline long link_to_new(const char* from, const char* to) {
  return call(SYS_linkat, AT_FDCWD, arg(from), AT_FDCWD, arg(to), AT_SYMLINK_FOLLOW);
}
inline long remove(const char* path) { return call(SYS_unlinkat, AT_FDCWD, arg(path), 0); }
inline long read_link(const char* path, char* to, size_t bytes) {
  return call(SYS_readlinkat, AT_FDCWD, arg(path), arg(to), static_cast<long>(bytes));
}
inline long working_directory(char* to, size_t bytes) { return call(SYS_getcwd, arg(to), static_cast<long>(bytes)); }

inline uint32_t process_id() { return static_cast<uint32_t>(call(SYS_getpid)); }
inline uint32_t user_id() { return static_cast<uint32_t>(call(SYS_geteuid)); }
inline uint32_t parent_id() { return static_cast<uint32_t>(call(SYS_getppid)); }
// Of process 0: of this one.
inline uint32_t session_of(uint32_t pid) { return static_cast<uint32_t>(call(SYS_getsid, pid)); }
// 0: not known, as the gate is closed.
inline uint32_t thread_id() {
  const long id = call(SYS_gettid);
  return id > 0 ? static_cast<uint32_t>(id) : 0;
}
// False as well where the kernel does not say.
inline bool share_memory(uint32_t pid, uint32_t other_pid) {
  constexpr long kMemory = 1;  // KCMP_VM
  return call(SYS_kcmp, pid, other_pid, kMemory) == 0;
}
// Signal 0 asks whether the target exists.
inline bool process_exists(uint32_t pid) { return call(SYS_kill, pid, 0) != -3 /* ESRCH */; }
inline bool thread_exists(uint32_t pid, uint32_t tid) { return call(SYS_tgkill, pid, tid, 0) != -3 /* ESRCH */; }
inline long resource_limit(int resource, struct rlimit* out) { return call(SYS_prlimit64, 0, resource, 0, arg(out)); }
inline void sleep_ns(long nanoseconds) {
  const long time[2] = {0, nanoseconds};  // the kernel's timespec
  call(SYS_nanosleep, arg(time));
}
inline void yield() { call(SYS_sched_yield); }

using SignalSet = uint64_t;
// Blocks all signals until restore_signals(); false: they are as they were, as the gate is closed. What lies between is
// one call under way: the gate does not close upon a thread that could not give its signals back.
inline bool block_all_signals(SignalSet* before) {
  const SignalSet all = ~SignalSet{0};
  calls_under_way->fetch_add(1, std::memory_order_seq_cst);  // pairs with close_gate
  if (gate_closed.load(std::memory_order_seq_cst)) {
    calls_under_way->fetch_sub(1, std::memory_order_release);
    return false;
  }
  enter_kernel(SYS_rt_sigprocmask, SIG_SETMASK, arg(&all), arg(before), sizeof(SignalSet));
  return true;
}
inline void restore_signals(SignalSet before) {
  enter_kernel(SYS_rt_sigprocmask, SIG_SETMASK, arg(&before), 0, sizeof(SignalSet));
  calls_under_way->fetch_sub(1, std::memory_order_release);
}

// Signals are sets of bits, number 1 the lowest.
constexpr SignalSet set_of(int signal) { return SignalSet{1} << (signal - 1); }
inline SignalSet pending_signals() {
  SignalSet pending = 0;
  call(SYS_rt_sigpending, arg(&pending), sizeof(pending));
  return pending;
}
// Takes one that is pending for this thread, if there is one; they must be blocked.
inline void take_pending(SignalSet which) {
  const long no_time[2] = {0, 0};  // the kernel's timespec
  call(SYS_rt_sigtimedwait, arg(&which), 0, arg(no_time), sizeof(which));
}

}  // namespace memprof::sys
