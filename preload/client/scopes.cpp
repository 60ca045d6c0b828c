#include "client/scopes.h"

#include <atomic>

#include "memprof/trace_format.h"
#include "platform/clock.h"
#include "thread_state/thread_state.h"
#include "trace_writer/record_stream.h"
#include "trace_writer/trace_writer.h"

namespace memprof {
namespace {

constexpr size_t kLongestName = 1023;

Piece piece_of(const char* name) {
  size_t bytes = 0;
  if (name != nullptr)
    while (bytes < kLongestName && name[bytes] != '\0') ++bytes;
  return {name, bytes};
}

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
  const Piece name_piece = piece_of(name);
  const format::ScopeBegin head{read_ticks(), max_leaked_bytes, max_leaked_blocks, serial, 0};
  const Piece pieces[] = {{&head, sizeof(head)}, name_piece};
  write_step(format::MetadataRecord::scope_begin, pieces, name_piece.count != 0 ? 2 : 1);
}

void end_scope() {
  const uint32_t serial = own_serial();
  if (serial == 0) return;
  const format::ScopeEnd end{read_ticks(), serial, 0};
  const Piece piece{&end, sizeof(end)};
  write_step(format::MetadataRecord::scope_end, &piece, 1);
}

void write_mark(const char* name) {
  const uint32_t serial = own_serial();
  if (serial == 0) return;
  const Piece name_piece = piece_of(name);
  const format::Mark head{read_ticks(), serial, 0};
  const Piece pieces[] = {{&head, sizeof(head)}, name_piece};
  write_metadata_record(format::MetadataRecord::mark, pieces, name_piece.count != 0 ? 2 : 1);
}

}  // namespace memprof
