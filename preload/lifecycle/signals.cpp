#include "lifecycle/signals.h"

#include "lifecycle/lifecycle.h"
#include "lifecycle/settings.h"
#include "platform/diagnostics.h"
#include "platform/load_time.h"
#include "platform/rare_lock.h"
#include "platform/signal_action.h"
#include "platform/text.h"
#include "snapshot/snapshot.h"
#include "thread_state/thread_state.h"

namespace memprof {
namespace {

using Handler = void (*)(int, siginfo_t*, void*);

void take_signalled_snapshot(int, siginfo_t*, void*) {
  if (is_fresh_child()) begin_forked_child();
  if (may_write_records()) take_snapshot(format::SnapshotReason::signal);
}

// Signals that come to several threads at once toggle one after the other.
constinit RareLock toggling;

void toggle_recording(int, siginfo_t*, void*) {
  if (is_fresh_child()) begin_forked_child();
  if (!is_traced_process()) return;  // a vfork child: the switch is its parent's
  const RareGuard guard(toggling);
  if (!guard.held()) return;
  if (is_recording()) {
    pause_recording();
  } else {
    start_recording();
  }
}

void wait_for(int signal, const char* setting, Handler handler) {
  if (signal == 0) return;
  Handler other = nullptr;
  if (!was_loaded_late() || (sys::find_handler(signal, &other) && other == nullptr)) {
    sys::handle_signal(signal, handler);
    return;
  }
  Text<256> line;
  line.add(setting).add(": the program has a handler of its own for the signal, or ignores it");
  say(line.c_str());
}

void stop_waiting(int signal, Handler handler) {
  Handler found = nullptr;
  if (signal != 0 && sys::find_handler(signal, &found) && found == handler) sys::default_signal(signal);
}

}  // namespace

void wait_for_signals() {
  wait_for(settings.snapshot_signal, "MEMPROF_SNAPSHOT", take_signalled_snapshot);
  wait_for(settings.toggle_signal, "MEMPROF_TOGGLE", toggle_recording);
}

void give_signals_back() {
  stop_waiting(settings.snapshot_signal, take_signalled_snapshot);
  stop_waiting(settings.toggle_signal, toggle_recording);
}

}  // namespace memprof
