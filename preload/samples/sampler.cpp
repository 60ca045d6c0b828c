#include "samples/sampler.h"

#include <atomic>

#include "platform/clock.h"
#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "samples/memory_files.h"
#include "samples/sample_budget.h"
#include "trace_writer/record_stream.h"
#include "trace_writer/trace_writer.h"

namespace memprof {

using format::kNotSampled;
using format::MemorySample;

namespace {

constexpr uint64_t kNever = UINT64_MAX;

constinit std::atomic<uint64_t> next_ns{kNever};  // no sample before
constinit std::atomic<bool> under_way{false};     // whose holder owns the two below
constinit SampleBudget budget;
constinit MemorySample sample{};

bool ask_kernel(uint64_t now_ns) {
  sample = {.ticks = read_ticks(),
            .took_ns = 0,
            .virtual_bytes = kNotSampled,
            .resident_bytes = kNotSampled,
            .file_bytes = kNotSampled,
            .exact_resident_bytes = kNotSampled,
            .proportional_bytes = kNotSampled,
            .shared_clean_bytes = kNotSampled,
            .shared_dirty_bytes = kNotSampled,
            .private_clean_bytes = kNotSampled,
            .private_dirty_bytes = kNotSampled,
            .referenced_bytes = kNotSampled,
            .anonymous_bytes = kNotSampled,
            .swap_bytes = kNotSampled};
  if (!read_statm(trace_header->memory_page_size, &sample)) return false;
  if (budget.affords_rollup(now_ns, sample.resident_bytes)) {
    const uint64_t begin_ns = monotonic_ns();
    read_rollup(&sample);
    budget.note_rollup(monotonic_ns() - begin_ns, sample.resident_bytes);
  }
  sample.took_ns = monotonic_ns() - now_ns;
  return true;
}

// Unless another thread has taken it: then the next one is not due at due_ns any more.
void take_sample(uint64_t due_ns, uint64_t due_next_ns) {
  const SignalsBlocked until_done;
  if (!sys::may_call()) return;
  // acquire: pairs with the release below; the budget is as the last sampler left it
  if (under_way.exchange(true, std::memory_order_acquire)) return;
  if (next_ns.compare_exchange_strong(due_ns, due_next_ns, std::memory_order_relaxed) && ask_kernel(monotonic_ns())) {
    const Piece piece{&sample, sizeof(sample)};
    write_sample_record(format::SampleRecord::memory, &piece, 1);
  }
  under_way.store(false, std::memory_order_release);
}

}  // namespace

void start_samples() {
  close_inherited_memory_file();
  under_way.store(false, std::memory_order_relaxed);
  const uint64_t now_ns = monotonic_ns();
  budget = SampleBudget(now_ns);
  next_ns.store(now_ns, std::memory_order_relaxed);
  take_sample(now_ns, now_ns + SampleBudget::kLeastDistanceNs);
}

void sample_if_due() {
  const uint64_t due_ns = next_ns.load(std::memory_order_relaxed);
  if (due_ns == kNever || !sys::may_call()) return;
  const uint64_t now_ns = monotonic_ns();
  if (now_ns >= due_ns) take_sample(due_ns, now_ns + SampleBudget::kLeastDistanceNs);
}

void end_samples() {
  const uint64_t due_ns = next_ns.load(std::memory_order_relaxed);
  if (due_ns != kNever) take_sample(due_ns, kNever);
  next_ns.store(kNever, std::memory_order_relaxed);  // one of another thread may be under way
}

}  // namespace memprof
