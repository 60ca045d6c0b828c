#include "snapshot/snapshot.h"

#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <new>

#include "platform/clock.h"
#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "snapshot/memory_map.h"
#include "snapshot/own_memory.h"
#include "snapshot/resident_ranges.h"
#include "snapshot/stopped_threads.h"
#include "snapshot/unforked_memory.h"
#include "snapshot/word_writer.h"
#include "trace_writer/record_stream.h"
#include "trace_writer/trace_storage.h"
#include "trace_writer/trace_writer.h"

namespace memprof {

using format::SnapshotRangeKind;
using format::SnapshotReason;
using format::SnapshotRecord;

namespace {

constexpr uint64_t kLongestNs = 600'000'000'000;
constexpr long kPauseNs = 500'000;
constinit std::atomic<bool> is_taken{false};
// The child that writes while the process goes on; 0: none.
constinit std::atomic<long> writer{0};

bool write_record(SnapshotRecord type, const void* bytes, size_t count) {
  const Piece piece{bytes, count};
  return write_snapshot_record(type, &piece, 1);
}

// The blocks may lie there: what module data and stacks point to besides is of no use.
bool may_hold_blocks(const Mapping& mapping) {
  return mapping.kind == SnapshotRangeKind::anonymous || mapping.kind == SnapshotRangeKind::program_break;
}

bool write_mapping(const Mapping& mapping, ResidentRanges& resident, WordWriter& words) {
  const format::SnapshotRange range{mapping.start, mapping.end, mapping.kind, mapping.flags};
  if (!write_record(SnapshotRecord::range, &range, sizeof(range))) return false;
  bool good = true;
  const bool is_known = resident.visit(mapping, [&](uintptr_t start, uintptr_t end) {
    // The kernel reads what may be cut, or kept from us: a file, memory of others.
    const bool is_safe = mapping.kind != SnapshotRangeKind::shared && mapping.kind != SnapshotRangeKind::file;
    visit_foreign_memory(start, end, [&](uintptr_t from, uintptr_t to) {
      good = good && (is_safe ? words.scan(from, to, may_hold_blocks(mapping)) : words.scan_by_kernel(from, to));
    });
  });
  return good && is_known && words.flush();
}

// In the child.
bool write_snapshot(const StoppedThreads& threads, const format::SnapshotBegin& begin, uint64_t pause_begin_ns,
                    uint64_t pause_ns) {
  if (!write_record(SnapshotRecord::begin, &begin, sizeof(begin))) return false;
  for (const format::SnapshotThread& thread : threads)
    if (!write_record(SnapshotRecord::thread, &thread, sizeof(thread))) return false;
  MemoryMap map;
  ResidentRanges resident;
  // Not static: what every recorded process would have, few use.
  void* const room = sys::map_anonymous(sizeof(WordWriter));
  if (room == nullptr) return false;
  WordWriter& words = *new (room) WordWriter;
  if (!map.read() || !resident.good()) return false;
  for (const Mapping& mapping : map)
    if (may_hold_blocks(mapping) && !words.add_target(mapping.start, mapping.end)) return false;
  words.set_files(map.files());
  // The trace's own mappings. What the kernel lists as its device need not be what it tells of the file.
  const auto header = reinterpret_cast<uintptr_t>(trace_header);
  const Mapping* own = map.begin();
  while (own != map.end() && (header < own->start || header >= own->end)) ++own;
  if (own == map.end()) return false;
  for (const Mapping& mapping : map) {
    if (mapping.inode == own->inode && mapping.device == own->device && mapping.kind == own->kind) continue;
    if (!write_mapping(mapping, resident, words)) return false;
  }
  const format::SnapshotEnd end{words.count(), words.bytes_scanned(), pause_ns, monotonic_ns() - pause_begin_ns};
  return write_record(SnapshotRecord::end, &end, sizeof(end));
}

// In the child: it holds nothing of the host's open. Where its parent waits for it, it dies with it; else it ends what
// it writes, and does not die with the thread that took the snapshot.
bool leave_the_host(uint32_t parent, SnapshotReason reason) {
  constexpr long kSetDeathSignal = 1, kLastDescriptor = INT32_MAX;
  if (reason == SnapshotReason::exit) {
    sys::call(SYS_prctl, kSetDeathSignal, SIGKILL);
    if (sys::parent_id() != parent) return false;
  }
  const long trace = descriptor();
  if (trace > 0) sys::call(SYS_close_range, 0, trace - 1, 0);
  sys::call(SYS_close_range, trace + 1, kLastDescriptor, 0);
  return true;
}

enum class Ending { none, good, bad };

// `none`: it still writes.
Ending ending_of(long child) {
  int status = 0;
  const long waited = sys::call(SYS_wait4, child, sys::arg(&status), WNOHANG | __WALL, 0);
  if (waited == child) return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? Ending::good : Ending::bad;
  // A wait of the host's with __WALL may have taken it: as far as can be known, it ended well.
  return waited < 0 && !sys::process_exists(static_cast<uint32_t>(child)) ? Ending::good : Ending::none;
}

bool wait_for(long child) {
  const uint64_t begin_ns = monotonic_ns();
  for (;;) {
    if (const Ending ending = ending_of(child); ending != Ending::none) return ending == Ending::good;
    if (monotonic_ns() - begin_ns > kLongestNs) sys::call(SYS_kill, child, SIGKILL);
    sys::sleep_ns(kPauseNs);
  }
}

// The child, or an error. Signals are blocked, in the child for good.
long begin_child(StoppedThreads& threads, SnapshotReason reason) {
  const SignalsBlocked until_done;
  begin_snapshot_stream();
  const uint64_t begin_ns = monotonic_ns();
  UnforkedMemory unforked;
  if (!threads.stop() || !unforked.keep()) return unforked.give_back(), -1;
  const format::SnapshotBegin begin{read_ticks(), reason, static_cast<uint32_t>(threads.count()), 0, 0};
  const uint32_t own = sys::process_id();
  // Without a signal at its end, and without libc's handlers.
  const long child = sys::call(SYS_clone, 0, 0, 0, 0, 0);
  if (child == 0) {
    const bool good = leave_the_host(own, reason) && unforked.put_back() &&
                      write_snapshot(threads, begin, begin_ns, monotonic_ns() - begin_ns);
    end_snapshot_stream();
    for (;;) sys::call(SYS_exit_group, good ? 0 : 1);
  }
  unforked.give_back();
  return child;
}

}  // namespace

bool take_snapshot(SnapshotReason reason) {
  static constinit StoppedThreads threads;
  // Two processes that write zeros behind what they know of would write over each other's pages.
  if (!sys::may_call() || reserves_by_zeros() || is_fork_watched()) return false;
  // Whoever comes second goes without: who waited with signals blocked could not be stopped.
  if (is_taken.exchange(true, std::memory_order_acquire)) return false;  // pairs with the release below
  const long before = writer.load(std::memory_order_relaxed);
  const bool may_take = before == 0 || reason != SnapshotReason::signal || ending_of(before) != Ending::none;
  bool good = false;
  if (may_take) {
    if (before != 0 && reason != SnapshotReason::signal) wait_for(before);
    writer.store(0, std::memory_order_relaxed);
    const long child = begin_child(threads, reason);
    good = child > 0;
    // At the end the others stand still meanwhile: destructors have run, and nothing is to happen behind them.
    if (good && reason == SnapshotReason::exit)
      good = wait_for(child);
    else if (good)
      writer.store(child, std::memory_order_relaxed);
    threads.release();
  }
  is_taken.store(false, std::memory_order_release);  // pairs with the exchange above
  return good;
}

void finish_snapshot() {
  const long child = writer.exchange(0, std::memory_order_relaxed);
  if (child != 0 && sys::may_call()) wait_for(child);
}

void forget_snapshot() {
  writer.store(0, std::memory_order_relaxed);
  is_taken.store(false, std::memory_order_relaxed);
}

}  // namespace memprof
