#include "lifecycle/program_starts.h"

#include <errno.h>

#include "lifecycle/gate.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/settings.h"
#include "platform/clock.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "thread_state/thread_state.h"
#include "trace_writer/output_name.h"
#include "trace_writer/record_stream.h"
#include "trace_writer/trace_writer.h"

namespace memprof {
namespace {

// A start that is not told of could pass for one that was recorded: it counts as a loss.
bool write_or_count(format::MetadataRecord type, const Piece* pieces, size_t count) {
  const bool is_written = write_metadata_record(type, pieces, count);
  if (!is_written) count_dropped(stop_cause());
  return is_written;
}

bool write_start(uint64_t ticks, uint32_t pid, const char* name, size_t name_bytes) {
  const format::ProgramStart head{ticks, process_start_time(pid), pid, 0};
  const Piece pieces[] = {{&head, sizeof(head)}, {name, name_bytes}};
  return write_or_count(format::MetadataRecord::program_start, pieces, name_bytes != 0 ? 2 : 1);
}

// The kernel says of a bad pointer what it would say to exec; we would die of it.
bool is_readable(const char* path) {
  struct stat status;
  return sys::status_of_target(path, &status) != -EFAULT;
}

// Whether there is a trace to write to.
bool has_trace() {
  if (recording_control == nullptr || is_confined_guest() || !sys::may_call()) return false;
  if (is_fresh_child() && tells_of_fresh_programs()) begin_forked_child();
  return trace_header != nullptr && !is_fresh_child();
}

// The kernel numbers what posix_spawn makes for another namespace after an unshare(CLONE_NEWPID), and tells us ours.
bool children_have_our_numbers() {
  struct stat own, of_children;
  return sys::status_of_target("/proc/self/ns/pid", &own) != 0 ||
         sys::status_of_target("/proc/self/ns/pid_for_children", &of_children) != 0 || own.st_ino == of_children.st_ino;
}

}  // namespace

bool tells_of_fresh_programs() { return settings.snapshot_at_exit; }

bool note_program_start(ProgramName program) {
  if (!has_trace()) return false;
  const uint64_t ticks = read_ticks();
  const uint32_t pid = sys::process_id();
  const bool has_path = program.path != nullptr && is_readable(program.path) && *program.path != '\0';
  if (has_path) return write_start(ticks, pid, program.path, text_length(program.path));
  if (program.descriptor < 0) return false;
  Text<64> link;
  link.add("/proc/self/fd/").add_number(static_cast<uint64_t>(program.descriptor));
  char path[512];
  const long bytes = sys::read_link(link.c_str(), path, sizeof(path));
  return write_start(ticks, pid, path, bytes > 0 ? static_cast<size_t>(bytes) : 0);
}

void take_back_program_start() {
  const format::ProgramStartFailed failed{read_ticks(), sys::process_id(), 0};
  const Piece piece{&failed, sizeof(failed)};
  write_or_count(format::MetadataRecord::program_start_failed, &piece, 1);
}

void note_spawned(uint64_t ticks, pid_t pid, const char* program) {
  if (pid <= 0 || !has_trace() || !children_have_our_numbers()) return;
  write_start(ticks, static_cast<uint32_t>(pid), program, text_length(program));
}

}  // namespace memprof
