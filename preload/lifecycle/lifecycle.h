// Beginning, forking, pausing and ending of a recording.
//
//   constructor (runs before every other one: -z initfirst) -> recording, or paused, or off
//   dlopen by who attaches -> nothing; memprof_attach() -> recording, or paused; memprof_detach() -> off
//   fork -> the child's first event finds the control page wiped -> begin_forked_child -> its own trace
//   exit -> destructor (others may still run after it) -> after the loader's last destructor: the file is closed
#pragma once

#include <stdint.h>

#include "memprof/trace_format.h"
#include "platform/clock.h"

namespace memprof {

// In a forked child, at its first event: makes the child's own trace, or turns recording off.
void begin_forked_child();

// The calling thread forks now: its child's trace will say when.
void note_fork();
// It has, and is the parent.
void note_forked();

// Whether the memory is of the process that the trace is of, and the caller is no vfork child of it.
bool is_traced_process();
// Recording, or waiting to be told to.
bool may_yet_record();

// An event came while not recording: counted as dropped if recording stopped early.
void note_unrecorded_event();

// No page was to be had: from now on events are only counted.
void go_idle();

// The host is about to give up system calls, by seccomp, or the processor's clock, by prctl(PR_SET_TSC). Everything
// that the recorder needs from the kernel is got now, for all threads; then the gate is closed (platform/syscalls.h).
// False: there is nothing to close. When the host's call has failed, regain_system_calls() undoes it.
// A vfork child's calls are given back to its parent when it is gone: when it ends or becomes another program by libc.
// Limits: a filter that is installed without libc's prctl() or syscall(), or was there before the program began.
bool give_up_system_calls(Forsake clocks);
void regain_system_calls();

// The process is about to end or to exec. Async-signal-safe; does nothing in a vfork child, whose memory is its
// parent's.
void note_end(format::EndState state);
// The exec failed.
void note_exec_failed();

// Client API: nothing is recorded but frees while paused. Any thread.
void start_recording();
void pause_recording();
bool is_recording();

// Whether calls of the client API have a trace to go to; a forked child makes its own. Async-signal-safe.
bool takes_client_calls();
// memprof_snapshot().
bool take_called_snapshot();

// Whether this process has a trace of its own that is being written: false in a forked child before its first event.
bool may_write_records();

// ---- A program that runs already ------------------------------------------------------------------------------------

// Reads settings, and gets what a recording needs; nothing is recorded. False: said why not. Again before each.
bool prepare_late_recording(int argc, char** argv, char** environment);
// With all other threads stopped: opens the trace, which says that the program was there before. False: said why not.
bool begin_late_recording();
// With the functions of the program as they were: closes the trace. What is in the recorder still may go on there.
void detach_recording();

}  // namespace memprof
