#include "lifecycle/lifecycle.h"

#include <stdlib.h>
#include <sys/auxv.h>

#include "client/block_types.h"
#include "client/tags.h"
#include "lifecycle/gate.h"
#include "lifecycle/program_starts.h"
#include "lifecycle/settings.h"
#include "lifecycle/signals.h"
#include "platform/clock.h"
#include "platform/diagnostics.h"
#include "platform/load_time.h"
#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "real_allocator/real_allocator.h"
#include "samples/sampler.h"
#include "snapshot/snapshot.h"
#include "stack_table/module_table.h"
#include "stack_table/stack_table.h"
#include "thread_state/thread_state.h"
#include "trace_writer/record_stream.h"
#include "trace_writer/trace_storage.h"
#include "trace_writer/trace_writer.h"
#include "unwind/readable_pages.h"
#include "unwind/unwinder.h"

extern "C" int __cxa_atexit(void (*function)(void*), void* argument, void* object);

namespace memprof {
namespace {

enum class Mode : uint32_t { off, waiting, recording, stopped, detached };
constinit std::atomic<Mode> mode{Mode::off};
constinit uint64_t generation = 0;
constinit ClockChoice clock_choice{};
constinit Text<256> program_name;
constinit uint32_t traced_pid = 0;
// A copy: programs write over their own, also to another length, and a forked child tells the command too.
constinit Piece command{nullptr, 0};
constinit thread_local uint64_t forked_at __attribute__((tls_model("initial-exec"))) = 0;

void write_text(format::MetadataRecord type, const char* text, size_t bytes) {
  const Piece piece{text, bytes};
  write_metadata_record(type, &piece, 1);
}

void keep_command(int count, char** arguments) {
  size_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += text_length(arguments[i]) + 1;
  auto* copy = bytes != 0 ? static_cast<char*>(sys::map_anonymous(bytes)) : nullptr;
  if (copy == nullptr) return;
  command = {copy, bytes};
  for (int i = 0; i < count; ++i) {
    const size_t length = text_length(arguments[i]) + 1;
    __builtin_memcpy(copy, arguments[i], length);
    copy += length;
  }
}

void write_process_records(const char* parent_trace) {
  static constinit Text<4352> path;
  write_text(format::MetadataRecord::library, MEMPROF_VERSION, sizeof(MEMPROF_VERSION) - 1);
  write_metadata_record(format::MetadataRecord::command, &command, 1);
  long bytes = sys::read_link("/proc/self/exe", path.data(), path.capacity());
  if (bytes > 0) write_text(format::MetadataRecord::executable, path.data(), static_cast<size_t>(bytes));
  bytes = sys::working_directory(path.data(), path.capacity());
  if (bytes > 1) write_text(format::MetadataRecord::directory, path.data(), static_cast<size_t>(bytes) - 1);
  for (unsigned i = 0; given_setting(i) != nullptr; ++i) {
    write_text(format::MetadataRecord::setting, given_setting(i), text_length(given_setting(i)));
  }
  if (*parent_trace != '\0') {
    write_text(format::MetadataRecord::parent_trace, parent_trace, text_length(parent_trace));
  }
}

// Opens the trace. One thread at a time.
bool open_trace(uint32_t pid, uint32_t flags, uint32_t parent_pid, uint64_t fork_ticks, const char* parent_trace) {
  if (settings.filter.active) flags |= format::kFiltered;
  if (settings.free_stacks) flags |= format::kFreeStacks;
  const TraceStart start{settings.output.c_str(),
                         program_name.c_str(),
                         settings.limit_bytes,
                         settings.max_depth,
                         flags,
                         pid,
                         parent_pid,
                         fork_ticks,
                         settings.run,
                         clock_choice.nominal_ticks_per_second,
                         clock_choice.clock,
                         next_allocator_size_bias()};
  if (start_trace(start) != StartResult::ok) return false;
  if (!start_stack_table()) {
    stop_recording(format::DropCause::no_memory, "no address space left");
    return false;
  }
  traced_pid = pid;
  write_process_records(parent_trace);
  define_tags_again();
  define_types_again();
  start_samples();
  if (settings.verbose) {
    Text<1024> line;
    line.add("recording pid ").add_number(traced_pid).add(" to ").add(trace_path());
    say(line.c_str());
  }
  return true;
}

void let_events_in() {
  mode.store(Mode::recording, std::memory_order_relaxed);
  // release: pairs with the acquire in enter_slowly; everything that recording needs is set up
  std::atomic_ref(recording_control->generation).store(++generation, std::memory_order_release);
}

void keep_events_out(Mode now) {
  mode.store(now, std::memory_order_relaxed);
  std::atomic_ref(recording_control->generation).store(kIdle, std::memory_order_release);
}

const char* last_component(const char* path) {
  const char* name = path;
  for (const char* at = path; *at != '\0'; ++at) {
    if (*at == '/') name = at + 1;
  }
  return name;
}

void say_end() {
  if (!settings.verbose) return;
  uint64_t dropped = 0;
  for (const uint64_t& count : trace_header->dropped_events) dropped += count;
  Text<1024> line;
  line.add("recorded ").add_number(trace_header->page_count & ~format::kPageCountClosed).add(" pages, ");
  line.add_number(trace_header->node_count).add(" stack nodes, ").add_number(dropped).add(" events dropped (");
  line.add(trace_path()).add(")");
  say(line.c_str());
}

// A trace without the heap needs a word. Once: children and later images of the program are like it.
void say_who_was_called() {
  static constinit bool said = false;
  const char* other = malloc_called_instead();
  if (other == nullptr || said || (trace_header->flags & format::kForkChild) != 0) return;
  said = true;
  Text<1024> line;
  line.add("malloc of ").add(other).add(" is called instead of memprof's: its blocks are not recorded");
  if (const auto [function, reason] = first_malloc_refusal; function != nullptr) {
    line.add(" (").add(function).add(" cannot be hooked, because ").add(reason).add(')');
  }
  say(line.c_str());
}

// The process whose trace a forked child begins: its own, or its parent's when that shares the memory and has done
// nothing yet (a fresh child's vfork child). A child of the recorded process itself shares nothing, else the control
// page would not be wiped.
uint32_t owner_of_memory(uint32_t recorded_pid) {
  const uint32_t own = sys::process_id();
  const uint32_t parent = sys::parent_id();
  return parent != recorded_pid && sys::share_memory(own, parent) ? parent : own;
}

// When nothing of the program comes any more.
void take_last_snapshot() {
  finish_snapshot();
  static constinit uint32_t taken_by = 0;  // a forked child takes one of its own
  if (!settings.snapshot_at_exit || is_over() || taken_by == traced_pid) return;
  taken_by = traced_pid;
  if (!take_snapshot(format::SnapshotReason::exit)) say("no whole snapshot could be taken at exit (MEMPROF_SNAPSHOT)");
}

void write_end(format::EndState state) {
  seal_own_pages();
  seal_record_streams();
  if (sys::may_call()) {                    // else the file keeps what was reserved
    close_trace_file(states_in_use() + 1);  // each thread may go on a little, and one meet new stacks
    std::atomic_ref(trace_header->recorder_bytes)
        .store(stack_table_resident_bytes() + thread_states_resident_bytes(), std::memory_order_relaxed);
  }
  end_trace(state);
}

void close_trace(format::EndState state) {
  if (!is_traced_process()) return;
  take_last_snapshot();
  end_samples();
  write_end(state);
}

// Registered while the loader runs the last destructors, so that exit() calls it after all of them.
void after_last_destructor(void*) {
  if (!is_traced_process()) return;
  say_end();
  close_trace(format::EndState::exit);
}

// Relative to where the program started, wherever it and its children go. A % of the directory is no directive.
void make_output_absolute() {
  if (settings.output.c_str()[0] == '/') return;
  static constinit Text<4352> directory;
  const long bytes = sys::working_directory(directory.data(), directory.capacity());
  if (bytes < 2 || directory.c_str()[0] != '/') return;
  directory.set_length(static_cast<size_t>(bytes) - 1);
  static constinit decltype(settings.output) pattern;
  pattern.clear();
  for (const char* at = directory.c_str(); *at != '\0'; ++at) {
    if (*at == '%') pattern.add('%');
    pattern.add(*at);
  }
  if (directory.length() > 1) pattern.add('/');
  pattern.add(settings.output.c_str());
  if (!pattern.cut()) settings.output = pattern;
}

// What a recording needs besides its trace. False: said why not.
bool get_ready(int argc, char** argv, char** environment) {
  remember_stderr();
  read_settings(environment);
  make_output_absolute();
  keep_command(argc, argv);
  program_name.clear();
  if (argc > 0) program_name.add(last_component(argv[0]));
  if (program_name.length() == 0) program_name.add("program");
  clock_choice = choose_clock();
  if (recording_control == nullptr && !start_thread_states()) {
    say("cannot record: this kernel lacks MADV_WIPEONFORK or address space; the program runs unrecorded");
    return false;
  }
  unwinder_init(false);  // the oracle comes later: see stack_check.cpp
  return true;
}

void tell_pause(uint64_t ticks) {
  const Piece piece{&ticks, sizeof(ticks)};
  write_metadata_record(format::MetadataRecord::pause, &piece, 1);
}

bool begin_recording(uint32_t flags) {
  if (settings.start_paused) flags |= format::kLateStart;
  if (!open_trace(sys::process_id(), flags, sys::parent_id(), 0, "")) return false;
  if ((flags & format::kLateStart) != 0) tell_pause(trace_header->start_ticks);
  if (settings.start_paused) {
    mode.store(Mode::waiting, std::memory_order_relaxed);
  } else {
    let_events_in();
  }
  wait_for_signals();
  return true;
}

// The next trace of this process, or the first of a forked child, has nothing of the one before.
void forget_trace() {
  reset_thread_states();
  abandon_record_streams();
  forget_snapshot();
  abandon_trace();
  reset_stack_table();
  reset_modules();
  forget_module_changes();
}

// Priority: the first constructor of the library; -z initfirst makes it the first of the process. A library that is
// loaded later waits for memprof_attach(), for good where the program itself opened it.
__attribute__((constructor(101))) void begin_process(int argc, char** argv, char** environment) {
  if (getauxval(AT_SECURE) != 0 || was_loaded_late()) return;
  find_real_functions();
  if (get_ready(argc, argv, environment)) begin_recording(0);
}

__attribute__((destructor(101))) void end_process() {
  if (recording_control == nullptr) return;
  note_end(format::EndState::exit);
  if (!is_traced_process()) return;
  // libc may allocate to remember a handler; an allocation that the program does not make is a system call too many.
  if (!sys::may_call()) return close_trace(format::EndState::exit);
  // Bound to no object, unlike atexit: else our own end, a moment from now, would run it.
  __cxa_atexit(after_last_destructor, nullptr, nullptr);
}

}  // namespace

// Told by the wiped page, as a child in a new pid namespace may have its parent's number; by the pid in a vfork child,
// whose memory is its parent's.
// Who may not ask for its pid and is no guest is taken for the process itself.
bool is_traced_process() {
  return !is_confined_guest() && trace_header != nullptr && !is_fresh_child() &&
         mode.load(std::memory_order_relaxed) != Mode::detached &&
         (!sys::may_call() || sys::process_id() == traced_pid);
}

bool may_yet_record() {
  const Mode now = mode.load(std::memory_order_relaxed);
  return now == Mode::recording || now == Mode::waiting;
}

void note_fork() {
  open_gate_after_guest();
  forked_at = read_ticks();
}

void note_forked() {
  if (trace_header != nullptr)
    std::atomic_ref(trace_header->last_fork_ns).store(monotonic_ns(), std::memory_order_relaxed);
}

void begin_forked_child() {
  if (!sys::may_call()) return;  // it can have no trace
  const OwnCalls own;
  // No other thread has come over, but the child may have started some since.
  const RareGuard guard(recording_control->child_begin);
  if (!guard.held() || !is_fresh_child()) return;

  const Mode parent_mode = mode.load(std::memory_order_relaxed);
  const uint32_t parent = traced_pid;
  static constinit Text<4352> parent_trace;
  parent_trace.clear();
  parent_trace.add(trace_path());
  const uint64_t fork_ticks = forked_at != 0 ? forked_at : read_ticks();
  forked_at = 0;
  reset_gate();
  forget_trace();
  if (!settings.follow_fork || parent_mode == Mode::off || parent_mode == Mode::detached) {
    keep_events_out(Mode::off);
    return;
  }
  const bool late = parent_mode == Mode::waiting || settings.filter.paused;
  const uint32_t flags = format::kForkChild | (late ? uint32_t{format::kLateStart} : 0);
  if (!open_trace(owner_of_memory(parent), flags, parent, fork_ticks, parent_trace.c_str())) {
    keep_events_out(trace_header != nullptr ? Mode::stopped : Mode::off);
  } else if (parent_mode == Mode::waiting) {
    keep_events_out(Mode::waiting);
  } else {
    let_events_in();
  }
}

void note_unrecorded_event() {
  if (is_fresh_child() && !sys::may_call()) {
    // The header is still its parent's, where its losses are told.
    if (settings.follow_fork && mode.load(std::memory_order_relaxed) == Mode::recording) {
      count_dropped(format::DropCause::no_syscalls);
    }
    return;
  }
  if (mode.load(std::memory_order_relaxed) == Mode::stopped) count_dropped(stop_cause());
}

void go_idle() {
  const bool is_detached = mode.load(std::memory_order_relaxed) == Mode::detached;
  keep_events_out(is_detached ? Mode::detached : Mode::stopped);
}

bool prepare_late_recording(int argc, char** argv, char** environment) {
  if (getauxval(AT_SECURE) != 0) {
    say("cannot record: the program was started with more rights than its user has (set-user-id, capabilities)");
    return false;
  }
  forget_settings();
  return get_ready(argc, argv, environment);
}

bool begin_late_recording() {
  if (trace_header != nullptr) forget_trace();
  return begin_recording(format::kLateStart);
}

void detach_recording() {
  if (!is_traced_process()) return;
  say_if_removed();
  say_end();
  give_signals_back();
  finish_snapshot();
  end_samples();
  keep_events_out(Mode::detached);
  write_end(format::EndState::detached);
  close_descriptor();  // whoever is in the recorder still, and needs it, finds the file by its path
}

void note_end(format::EndState state) {
  if (recording_control == nullptr || leave_as_guest()) return;
  if (is_fresh_child() && (state != format::EndState::exec || tells_of_fresh_programs())) begin_forked_child();
  if (is_traced_process()) {
    say_who_was_called();
    say_if_removed();
  }
  if (state == format::EndState::immediate_exit) {
    if (is_traced_process()) say_end();
    close_trace(state);
  } else if (is_traced_process()) {
    sample_if_due();
    // What quick_exit calls may still free; but of its end nobody hears.
    if (state == format::EndState::quick_exit) take_last_snapshot();
    end_trace(state);
  }
}

void note_exec_failed() {
  if (!stay_as_guest() && is_traced_process()) resume_trace();
}

void start_recording() {
  if (recording_control == nullptr) return;
  const Mode now = mode.load(std::memory_order_relaxed);
  if (now == Mode::waiting) let_events_in();
  settings.filter.paused = false;
}

void pause_recording() {
  if (!may_write_records()) return;
  std::atomic_ref(trace_header->live_flags).fetch_or(format::kLateStart, std::memory_order_relaxed);
  tell_pause(read_ticks());
  settings.filter.paused = true;
}

bool take_called_snapshot() {
  if (is_fresh_child()) begin_forked_child();
  return may_write_records() && take_snapshot(format::SnapshotReason::call);
}

bool may_write_records() { return mode.load(std::memory_order_relaxed) == Mode::recording && is_traced_process(); }

bool takes_client_calls() {
  if (recording_control == nullptr) return false;
  if (is_fresh_child()) begin_forked_child();
  return may_yet_record() && trace_header != nullptr;
}

bool is_recording() { return mode.load(std::memory_order_relaxed) == Mode::recording && !settings.filter.paused; }

}  // namespace memprof
