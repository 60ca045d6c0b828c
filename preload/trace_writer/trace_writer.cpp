#include "trace_writer/trace_writer.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/checksum.h"
#include "platform/clock.h"
#include "platform/diagnostics.h"
#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "trace_writer/output_name.h"
#include "trace_writer/start_failure.h"
#include "trace_writer/trace_storage.h"

namespace memprof {

using format::DropCause;
using format::FileHeader;
using format::kPageSize;
using format::PageHeader;

constinit FileHeader* trace_header = nullptr;

namespace {

constexpr uint32_t kNotStopped = 0;

constinit bool removal_said = false;
constinit RareLock growing;  // for pages that are reserved, and for all once the file is closed

// Pages that are mapped for good, for the time when nothing can be mapped any more.
struct Reserve {
  std::atomic<unsigned char*> start;
  uint64_t first_page;
  uint64_t pages;
};
constinit Reserve reserve{};
constexpr uint64_t kReservePages = 1024;               // 16 MiB: about four million events
constexpr uint64_t kPagesUnderWay = 64 * kLongestRun;  // others may have claimed these, and not mapped them yet

const char* describe(DropCause cause) {
  switch (cause) {
    case DropCause::no_space: return "no space left for the trace";
    case DropCause::file_limit: return "the file size limit (RLIMIT_FSIZE) is reached";
    case DropCause::trace_limit: return "MEMPROF_LIMIT is reached";
    case DropCause::file_lost: return "the trace file is gone from its path and its descriptor was closed";
    case DropCause::no_memory: return "no address space left";
    case DropCause::table_full: return "a counter reached its limit";
    case DropCause::no_syscalls: return "a seccomp filter forbids growing the trace";
    default: return "the trace file cannot be grown";
  }
}

// After the file was closed: the pages that were left for those who go on a little.
bool take_spare_page(uint64_t* number) {
  RareGuard guard(growing);
  if (!guard.held()) return false;
  std::atomic_ref<uint64_t> count(trace_header->page_count);
  const uint64_t next = count.load(std::memory_order_relaxed) & ~format::kPageCountClosed;
  if (next >= reserved_pages()) return false;
  count.store((next + 1) | format::kPageCountClosed, std::memory_order_relaxed);
  *number = next;
  return true;
}

struct PageNumbers {
  uint64_t first;
  uint32_t count;  // 0: recording is over, or a vfork child cannot reach the file
};

// Numbers of new pages, with disk blocks behind them: as many as wanted, or fewer where the file ends.
PageNumbers take_page_numbers(uint32_t wanted) {
  std::atomic_ref<uint64_t> count(trace_header->page_count);
  uint64_t next = count.load(std::memory_order_relaxed);
  for (;;) {
    if ((next & format::kPageCountClosed) != 0) {
      uint64_t spare = 0;
      const bool is_left = take_spare_page(&spare);
      return {spare, is_left ? 1U : 0U};
    }
    if (next + wanted > format::kMaxPages) {
      std::atomic_ref(trace_header->invalid).store(1, std::memory_order_relaxed);
      stop_recording(DropCause::table_full, describe(DropCause::table_full));
      return {};
    }
    if (next + wanted <= reserved_pages()) {
      if (count.compare_exchange_weak(next, next + wanted, std::memory_order_relaxed)) return {next, wanted};
      continue;
    }
    Growth growth{false, DropCause::no_syscalls};
    if (sys::may_call()) {
      RareGuard guard(growing);
      if (guard.held()) growth = grow_to(next + wanted);
    }
    if (!growth.ok && wanted > 1) {
      wanted = 1;  // there may be room for this one
      continue;
    }
    if (!growth.ok && !sys::may_call()) {
      // Whatever failed, it was as the gate closed; before it did, pages were reserved.
      if (next < reserved_pages()) continue;
      growth.cause = DropCause::no_syscalls;
    }
    if (!growth.ok && growth.cause == DropCause::file_lost && is_vfork_child()) return {};
    if (!growth.ok) {
      stop_recording(growth.cause, describe(growth.cause));
      return {};
    }
    next = count.load(std::memory_order_relaxed);
  }
}

PageHeader* page_of_reserve(uint64_t number) {
  unsigned char* start = reserve.start.load(std::memory_order_acquire);  // pairs with reserve_pages_to_go_on
  if (start == nullptr || number - reserve.first_page >= reserve.pages) {
    stop_recording(DropCause::no_syscalls, describe(DropCause::no_syscalls));
    return nullptr;
  }
  return reinterpret_cast<PageHeader*>(start + (number - reserve.first_page) * kPageSize);
}

// Maps the run when it is new, and makes its page ready to be written to.
bool make_page_ready(PageRun* run, uint64_t number, DropCause* why_not) {
  uint64_t file_bytes = 0;
  if (run->start == nullptr) {
    const Mapped mapped = map_pages(number, run->first_page + run->pages - number, true);
    *why_not = mapped.why_not;
    if (mapped.start == nullptr) return false;
    *run = {mapped.start, number, static_cast<uint32_t>(run->first_page + run->pages - number), 1};
    file_bytes = mapped.file_bytes;
  } else {
    const int fd = descriptor();
    struct stat status;
    if (fd >= 0 && starts_folio(number)) prepare_pages(fd, number, run->first_page + run->pages);
    *why_not = DropCause::file_lost;
    if (!is_our_file(fd, &status) && !is_our_file(descriptor(), &status)) return false;
    file_bytes = static_cast<uint64_t>(status.st_size);
  }
  *why_not = DropCause::io_error;
  return file_bytes >= (number + 1) * kPageSize;  // cut by somebody, the page has no blocks
}

uint32_t run_length(uint32_t sequence) {
  constexpr uint32_t kPagesPerLength = 8;  // so at most an eighth of a stream's pages is left unwritten
  const uint32_t length = sequence / kPagesPerLength;
  return length < 1 || !sys::may_call() ? 1 : length < kLongestRun ? length : kLongestRun;
}

PageHeader* next_page(const PageRequest& request, PageRun* run, uint64_t* number) {
  if (run->taken == run->pages) {
    const PageNumbers numbers = take_page_numbers(run_length(request.sequence));
    if (numbers.count == 0) return nullptr;
    unmap_run(run);
    *run = {nullptr, numbers.first, numbers.count, 0};
  }
  *number = run->first_page + run->taken++;
  DropCause why_not{};
  const bool good = sys::may_call() && make_page_ready(run, *number, &why_not);
  if (good || (!sys::may_call() && run->start != nullptr))
    return reinterpret_cast<PageHeader*>(run->start + (*number - run->first_page) * kPageSize);
  if (!sys::may_call()) return page_of_reserve(*number);
  if (why_not == DropCause::file_lost && is_vfork_child()) return nullptr;
  stop_recording(why_not, why_not == DropCause::io_error ? "somebody has cut the trace file" : describe(why_not));
  return nullptr;
}

void fill_header(FileHeader* header, const TraceStart& start) {
  __builtin_memcpy(header->magic, format::kMagic, sizeof(header->magic));
  header->format_version = format::kVersion;
  header->endian_tag = format::kEndianTag;
  header->fixed_bytes = format::kFixedBytes;
  header->page_size = kPageSize;
  header->pid = start.pid;
  header->parent_pid = start.parent_pid;
  header->process_start = process_start_time(header->pid);
  header->start_ticks = read_ticks();
  header->start_monotonic_ns = monotonic_ns();
  header->start_realtime_ns = clock_ns(CLOCK_REALTIME);
  header->nominal_ticks_per_second = start.nominal_ticks_per_second;
  header->fork_ticks = start.fork_ticks;
  header->clock = start.clock;
  header->time_shift = format::kTimeShift;
#if defined(__x86_64__)
  header->machine = 62;  // EM_X86_64
#elif defined(__aarch64__)
  header->machine = 183;  // EM_AARCH64
#endif
  header->pointer_bits = 8 * sizeof(void*);
  header->max_depth = start.max_depth;
  header->flags = start.flags;
  header->pid_namespace = process_namespace();
  header->size_bias = start.size_bias;
  header->run = start.run;
  header->memory_page_size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  header->page_count = 1;
  header->checksum = checksum(header, format::kFixedBytes);
}

// 0 or a negative errno.
long map_first_page(void** page) {
  const Growth growth = grow_to(1);
  if (growth.ok) *page = sys::map(kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor(), 0);
  if (*page != nullptr) return 0;
  if (growth.ok) return -ENOMEM;
  if (growth.cause == DropCause::no_space) return -ENOSPC;
  return growth.cause == DropCause::file_limit ? -EFBIG : -ENOMEM;
}

}  // namespace

StartResult start_trace(const TraceStart& start) {
  const OutputRequest request{start.output_pattern, start.program, start.pid, process_start_time(start.pid),
                              (start.flags & format::kForkChild) != 0};
  OutputFile made = make_output_file(request);
  if (made.fd < 0) {
    say_cannot_record(made.path, made.fd);
    return StartResult::failed;
  }
  adopt_file(made, start.limit_bytes, start.pid);
  growing.reset();
  removal_said = false;

  void* page = nullptr;
  long error = map_first_page(&page);
  if (error == 0) fill_header(static_cast<FileHeader*>(page), start);
  if (error == 0 && !made.has_name) {
    made = name_output_file(request, descriptor());
    error = made.fd < 0 ? made.fd : 0;
  }
  if (error != 0) {
    if (page != nullptr) sys::unmap(page, kPageSize);
    if (made.has_name) sys::remove(made.path);
    close_descriptor();
    say_cannot_record(made.path, error);
    return StartResult::failed;
  }
  set_trace_path(made.path);
  trace_header = static_cast<FileHeader*>(page);
  return StartResult::ok;
}

void abandon_trace() {
  if (trace_header != nullptr) sys::unmap(trace_header, kPageSize);
  trace_header = nullptr;
  close_descriptor();
  if (reserve.start != nullptr) sys::unmap(reserve.start, reserve.pages * kPageSize);
  reserve.start = nullptr;
  reserve.first_page = reserve.pages = 0;
}

PageHeader* claim_page(const PageRequest& request, PageRun* run) {
  if (std::atomic_ref(trace_header->stopped).load(std::memory_order_relaxed) != kNotStopped) return nullptr;
  uint64_t number = 0;
  PageHeader* page = next_page(request, run, &number);
  if (page == nullptr) return nullptr;
  page->magic = format::kPageMagic;
  page->kind = request.kind;
  page->header_bytes = sizeof(PageHeader);
  page->stream_id = request.stream_id;
  page->sequence = request.sequence;
  page->thread_serial = request.thread_serial;
  page->thread_id = request.thread_id;
  page->base_ticks = read_ticks();
  page->base_monotonic_ns = monotonic_ns();
  page->page_index = number;
  const uint64_t base_units = page->base_ticks >> format::kTimeShift;
  if (request.start_units < base_units) {
    const uint64_t lead = base_units - request.start_units;
    page->lead_units = lead < UINT32_MAX ? static_cast<uint32_t>(lead) : UINT32_MAX;
  }
  // release: a reader of the live file that sees `open` sees the header (acquire in the analyzer's page index)
  std::atomic_ref(page->state).store(format::PageState::open, std::memory_order_release);
  std::atomic_ref(trace_header->begun_pages).fetch_add(1, std::memory_order_relaxed);
  return page;
}

void seal_page(PageHeader* page) {
  page->checksum =
      checksum(page, sizeof(PageHeader) + page->used);  // state is open and the field zero, as the format says
  std::atomic_ref(page->state).store(format::PageState::sealed, std::memory_order_release);
}

void unmap_run(PageRun* run) {
  if (run->start != nullptr) sys::unmap(run->start, run->pages * kPageSize);
  *run = {};
}

bool divert_run(PageRun* run) {
  const bool mapped = run->start != nullptr;
  if (!mapped) run->pages = 1;
  void* start = sys::map_at(run->start, run->pages * kPageSize, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | (mapped ? MAP_FIXED : 0), -1, 0);
  if (start != nullptr) run->start = static_cast<unsigned char*>(start);
  return start != nullptr;
}

namespace {
uint32_t why_stopped() { return std::atomic_ref(trace_header->stopped).load(std::memory_order_relaxed); }
bool is_closed() {
  return (std::atomic_ref(trace_header->page_count).load(std::memory_order_relaxed) & format::kPageCountClosed) != 0;
}
}  // namespace

bool is_over() { return why_stopped() != kNotStopped || is_closed(); }

format::DropCause stop_cause() {
  const uint32_t stopped = why_stopped();
  if (stopped != kNotStopped) return static_cast<DropCause>(stopped - 1);
  return is_closed() ? DropCause::after_end : DropCause::file_lost;
}

void count_dropped(DropCause cause, uint64_t events) {
  if (trace_header == nullptr) return;
  std::atomic_ref(trace_header->dropped_events[static_cast<unsigned>(cause)])
      .fetch_add(events, std::memory_order_relaxed);
}

void stop_recording(DropCause cause, const char* why) {
  uint32_t expected = kNotStopped;
  const uint32_t stopped = 1 + static_cast<uint32_t>(cause);
  if (!std::atomic_ref(trace_header->stopped).compare_exchange_strong(expected, stopped, std::memory_order_relaxed)) {
    return;
  }
  trace_header->stop_ticks = read_ticks();
  Text<1024> line;
  line.add("recording stopped early: ").add(why).add("; what follows is counted as dropped (").add(trace_path());
  line.add(")");
  say(line.c_str());
}

void say_if_removed() {
  if (removal_said || !is_removed()) return;
  removal_said = true;
  Text<1024> line;
  line.add("the trace was removed while it was written, nothing of it is left (").add(trace_path()).add(")");
  say(line.c_str());
}

void close_trace_file(uint64_t spare_pages) {
  // From here on pages are taken under `growing` alone. Some may be taken before we have it, so they are counted after.
  std::atomic_ref<uint64_t> count(trace_header->page_count);
  const uint64_t before = count.fetch_or(format::kPageCountClosed, std::memory_order_relaxed);
  if ((before & format::kPageCountClosed) != 0) return;
  RareGuard guard(growing);
  const uint64_t pages = (count.load(std::memory_order_relaxed) & ~format::kPageCountClosed) + spare_pages;
  grow_to(pages);  // where it cannot, there are fewer
  cut_file(pages);
}

void end_trace(format::EndState state) {
  std::atomic_ref(trace_header->end_state).store(format::EndState::running, std::memory_order_relaxed);
  trace_header->end_ticks = read_ticks();
  trace_header->end_monotonic_ns = monotonic_ns();
  // release: whoever sees the end state sees the end pair
  std::atomic_ref(trace_header->end_state).store(state, std::memory_order_release);
}

void reserve_pages_to_go_on() {
  RareGuard guard(growing);
  if (!guard.held()) return;
  const uint64_t count = std::atomic_ref(trace_header->page_count).load(std::memory_order_relaxed);
  if ((count & format::kPageCountClosed) != 0) return;
  if (reserve.first_page + reserve.pages > count + kReservePages / 2) return;  // of an attempt that failed
  for (uint64_t pages = kReservePages; pages > 0 && !grow_to(count + pages).ok; pages /= 2) {
  }
  const uint64_t first_page = count > kPagesUnderWay ? count - kPagesUnderWay : 1;
  const uint64_t pages = reserved_pages() - first_page;
  unsigned char* start = map_pages(first_page, pages, false).start;
  if (start == nullptr) return;
  reserve.first_page = first_page;
  reserve.pages = pages;
  reserve.start.store(start, std::memory_order_release);  // pairs with page_of_reserve
}

void resume_trace() {
  std::atomic_ref(trace_header->end_state).store(format::EndState::running, std::memory_order_relaxed);
}

}  // namespace memprof
