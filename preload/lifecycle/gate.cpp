#include "lifecycle/gate.h"

#include <link.h>

#include "lifecycle/lifecycle.h"
#include "platform/rare_lock.h"
#include "platform/syscalls.h"
#include "stack_table/module_table.h"
#include "thread_state/thread_state.h"
#include "trace_writer/trace_writer.h"
#include "unwind/readable_pages.h"

namespace memprof {
namespace {

// Calls of give_up_system_calls() that stand, and how far the first of them is. Others wait for it, without a system
// call: the filter that one of them installs may be in force for the thread that is still getting ready.
constinit std::atomic<uint32_t> given_up{0};
enum class Gate : uint32_t { open, changing, closed };
constinit std::atomic<Gate> gate{Gate::open};
constinit Forsake clocks_before{};

// A vfork child runs on its parent's thread, which waits until it is gone, and a filter that it takes is not its
// parent's. What it does last is announced, and when the thread is met again it is the parent's.
enum class Guest : uint8_t { none, confined, leaving };
constinit thread_local Guest guest __attribute__((tls_model("initial-exec"))) = Guest::none;

// A module that no stack has led into yet is met later without its path, for which the kernel must be asked.
void meet_loaded_modules() {
  for (const link_map* map = _r_debug.r_map; map != nullptr; map = map->l_next) {
    locate(reinterpret_cast<uintptr_t>(map->l_ld));
  }
}

// Ours to change, from one of the two; false: it is in the other. Waits, not for ever: the thread that changes it may
// be the one that a signal handler of ours interrupted.
bool take_gate(Gate from) {
  constexpr uint32_t kMostTries = 1u << 27;  // some seconds
  for (uint32_t tries = 0; tries < kMostTries; ++tries) {
    Gate found = from;
    if (gate.compare_exchange_weak(found, Gate::changing, std::memory_order_seq_cst)) return true;
    if (found != Gate::changing && found != from) return false;
    sys::pause();
  }
  return false;
}

void get_ready_to_go_on() {
  clocks_before = forsaken.load(std::memory_order_relaxed);
  if (may_yet_record()) {
    meet_loaded_modules();
    reserve_pages_to_go_on();
  }
  const SignalsBlocked until_done;
  sys::reserve_memory();
  remember_readable_memory();
}

}  // namespace

void reset_gate() {
  gate.store(Gate::open, std::memory_order_relaxed);  // of those who were changing it, none came over
  given_up.store(0, std::memory_order_relaxed);
  guest = Guest::none;
}

void open_gate_after_guest() {
  if (__builtin_expect(guest == Guest::leaving, 0)) regain_system_calls();
}

bool is_confined_guest() {
  open_gate_after_guest();
  return guest == Guest::confined;
}

bool leave_as_guest() {
  if (!is_confined_guest()) return false;
  guest = Guest::leaving;
  return true;
}

bool stay_as_guest() {
  if (guest != Guest::leaving) return false;
  guest = Guest::confined;
  return true;
}

bool give_up_system_calls(Forsake clocks) {
  if (recording_control == nullptr) return false;
  if (is_fresh_child()) begin_forked_child();
  if (trace_header == nullptr) return false;
  if (!is_traced_process()) guest = Guest::confined;
  given_up.fetch_add(1, std::memory_order_seq_cst);  // before the gate is looked at: see regain_system_calls
  if (take_gate(Gate::open)) {
    get_ready_to_go_on();
    sys::close_gate();
    gate.store(Gate::closed, std::memory_order_seq_cst);
  }
  forsake_clocks(clocks);
  return true;
}

void regain_system_calls() {
  guest = Guest::none;
  if (given_up.fetch_sub(1, std::memory_order_seq_cst) != 1 || !take_gate(Gate::closed)) return;
  // Whoever gave them up meanwhile found the gate closed, and went on.
  const bool may_open = given_up.load(std::memory_order_seq_cst) == 0;
  if (may_open) {
    sys::open_gate();
    regain_clocks(clocks_before);
  }
  gate.store(may_open ? Gate::open : Gate::closed, std::memory_order_seq_cst);
}

}  // namespace memprof
