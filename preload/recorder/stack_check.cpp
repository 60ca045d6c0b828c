#include "recorder/stack_check.h"

#include <dlfcn.h>
#include <sys/auxv.h>

#include "lifecycle/settings.h"
#include "platform/rare_lock.h"
#include "platform/syscalls.h"

extern "C" int _dl_find_object(void* address, struct dl_find_object* result) __attribute__((weak));

namespace memprof {
namespace {

enum class Oracle : uint32_t { unloaded, loading, loaded };
constinit std::atomic<Oracle> oracle{Oracle::unloaded};

bool runs_in_loader(const StackView& stack) {
  dl_find_object loader;
  if (_dl_find_object == nullptr) return true;
  if (_dl_find_object(reinterpret_cast<void*>(getauxval(AT_BASE)), &loader) != 0) return true;
  for (uint32_t i = 0; i < stack.depth; ++i) {
    const uintptr_t pc = code_of(stack.frames[i].pc);
    if (pc >= reinterpret_cast<uintptr_t>(loader.dlfo_map_start) &&
        pc < reinterpret_cast<uintptr_t>(loader.dlfo_map_end)) {
      return true;
    }
  }
  return false;
}

// dlopen is out of the question in our constructor, which runs before libc's own (it would initialise libc without
// arguments and environment), and while the loader itself is at work. Stacks before the first chance go unchecked.
bool load_oracle_when_possible(const StackView& stack) {
  if (oracle.load(std::memory_order_acquire) == Oracle::loaded) return true;
  if (runs_in_loader(stack)) return false;
  Oracle expected = Oracle::unloaded;
  if (!oracle.compare_exchange_strong(expected, Oracle::loading, std::memory_order_relaxed)) return false;
  unwinder_init(true);
  oracle.store(Oracle::loaded, std::memory_order_release);
  return true;
}

}  // namespace

void check_stack(ThreadState& state, const StackView& stack, uint32_t node, const CapturePoint& caller) {
  if (!sys::may_call()) return;  // libunwind asks the kernel what can be read
  if (state.captures_until_check > 0) {
    --state.captures_until_check;
    return;
  }
  const OwnCalls own;  // what libunwind maps and the loader allocates for it is not the host's
  if (!load_oracle_when_possible(stack)) return;
  state.captures_until_check = settings.verify_stacks - 1;
  const bool same = verify_stack(state.unwind, stack, caller, settings.max_depth) && is_node_of(node, stack);
  std::atomic_ref(trace_header->verify_checked).fetch_add(1, std::memory_order_relaxed);
  if (!same) std::atomic_ref(trace_header->verify_mismatches).fetch_add(1, std::memory_order_relaxed);
}

}  // namespace memprof
