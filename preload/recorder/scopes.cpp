#include "recorder/scopes.h"

#include <atomic>

#include "memprof/trace_format.h"
#include "platform/clock.h"
#include "thread_state/thread_state.h"
#include "trace_writer/record_stream.h"
#include "trace_writer/trace_writer.h"

namespace memprof {
namespace {

constexpr size_t kLongestName = 1023;

// The calling thread's, as its events have it. 0: nothing is recorded.
uint32_t own_serial() {
  ThreadState* const state = enter_slowly();
  if (state == nullptr) return 0;
  const uint32_t serial = state->thread_serial;
  std::atomic_signal_fence(std::memory_order_release);
  state->busy = Busy::idle;
  return serial;
}

// A scope that is not told of could pass for one that keeps its budget: it counts as a loss.
void write_step(format::MetadataRecord type, const Piece* pieces, size_t count) {
  if (!write_metadata_record(type, pieces, count) && is_over()) count_dropped(stop_cause());
}

}  // namespace

void begin_scope(const char* name, size_t max_leaked_bytes, size_t max_leaked_blocks) {
  const uint32_t serial = own_serial();
  if (serial == 0) return;
  size_t name_bytes = 0;
  if (name != nullptr)
    while (name_bytes < kLongestName && name[name_bytes] != '\0') ++name_bytes;
  const format::ScopeBegin head{read_ticks(), max_leaked_bytes, max_leaked_blocks, serial, 0};
  const Piece pieces[] = {{&head, sizeof(head)}, {name, name_bytes}};
  write_step(format::MetadataRecord::scope_begin, pieces, name_bytes != 0 ? 2 : 1);
}

void end_scope() {
  const uint32_t serial = own_serial();
  if (serial == 0) return;
  const format::ScopeEnd end{read_ticks(), serial, 0};
  const Piece piece{&end, sizeof(end)};
  write_step(format::MetadataRecord::scope_end, &piece, 1);
}

}  // namespace memprof
