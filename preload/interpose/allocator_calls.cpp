// What happens at a call of a hooked function (allocators/): what it did is recorded as the hooks of malloc do it, in
// two halves, before the function and after it (entry_patch/hook_call_x86_64.cpp).
#include "allocators/find_allocators.h"
#include "allocators/hooked_function.h"
#include "client/foreign_pools.h"
#include "interpose/hook.h"
#include "interpose/inside_calls.h"
#include "interpose/kept_handles.h"
#include "interpose/next_function.h"
#include "interpose/obstack_chunks.h"
#include "lifecycle/lifecycle.h"
#include "platform/load_time.h"
#include "real_allocator/real_allocator.h"
#include "recorder/recorder.h"

namespace memprof {

constinit thread_local InsideCalls inside_calls = {};

namespace {

// Between the two halves, on the caller's stack.
struct CallState {
  CapturePoint caller;  // pc 0: it is not recorded
  uint64_t begin_ticks;
  Mapping unmapped;  // that a free of glibc's gives back
  ObstackTop top;
  InsideCalls::Mark outer;  // that this call has taken the place of
};
constexpr uintptr_t kHasNoMark = UINTPTR_MAX;  // CallState::outer.frame
static_assert(sizeof(CallState) <= 80, "the room that the hook has for it");

void* pointer(uint64_t value) { return reinterpret_cast<void*>(value); }

// Of a pool that ends, those below it end too, one by one, and the program's cleanups are called.
bool ends_pool(const HookedFunction& function) {
  return function.does->does == Does::clear_pool || function.does->does == Does::destroy_pool;
}

// An obstack's chunks come from functions of the program's.
bool stands_for_its_calls(const HookedFunction& function) {
  switch (function.does->does) {
    case Does::begin_obstack:
    case Does::grow_obstack:
    case Does::free_obstack: return false;
    default: return !ends_pool(function);
  }
}

const Obstack& obstack_of(const HookedFunction& function, const Arguments& arguments) {
  return *reinterpret_cast<const Obstack*>(arguments[function.does->block]);
}

size_t size_of(const AllocatorFunction& does, const Arguments& arguments) {
  if (does.size_of != nullptr) return does.size_of(arguments);
  return arguments[does.size] * (does.count >= 0 ? arguments[does.count] : 1);
}

// nullptr: there is none.
void* block_of(const AllocatorFunction& does, const Arguments& arguments, uint64_t result) {
  if (does.stores < 0) return pointer(result);
  return static_cast<uint32_t>(result) == 0 ? *reinterpret_cast<void**>(arguments[does.stores]) : nullptr;
}

// The malloc of an operator of the C++ runtime that is hooked itself, and operators that call each other. Where
// operators are not hooked but stood in for, the program's malloc is the one that counts.
bool is_in_hooked_operator(uintptr_t address) {
  return was_loaded_late() && address - nested_code.hull.begin < nested_code.hull.end - nested_code.hull.begin &&
         is_in_runtime_operator(address);
}

// When a thread ends glibc frees the entries of its cache, which ended before, and the cache itself, which no malloc
// made. Such calls are direct; the rest of libc calls through its PLT, as where memprof is preloaded.
bool is_call_of_malloc_itself(const HookedFunction& function, uintptr_t return_address) {
  constexpr size_t kCallBytes = 5;
  constexpr unsigned char kCall = 0xe8;  // with the distance behind it
  if (function.libc_entry == 0 || return_address >= function.module_end) return false;
  if (return_address < function.module_begin + kCallBytes) return false;
  const auto* const call = reinterpret_cast<const unsigned char*>(return_address - kCallBytes);
  int32_t distance;
  __builtin_memcpy(&distance, call + 1, sizeof(distance));
  return *call == kCall && return_address + static_cast<uintptr_t>(distance) == function.libc_entry;
}

// Below memprof's malloc the next allocator's functions are called, and may be hooked: those stand for their calls too.
enum class Counts { no, for_another_hook, for_itself };

Counts counts_as(const HookedFunction& function, uintptr_t frame, uintptr_t return_address) {
  if (ends_pool(function)) return Counts::for_itself;
  if (is_call_of_malloc_itself(function, return_address)) return Counts::no;
  const InsideCalls::Mark& outer = inside_calls.of(function.domain);
  if (is_part_of(outer, frame, return_address)) {
    return counts_inside(outer, function.does->does == Does::release) ? Counts::for_itself : Counts::no;
  }
  const bool is_below_hook = function.domain == format::Domain::cpu &&
                             (is_in_next_allocator(return_address) || is_in_hooked_operator(return_address));
  return is_below_hook ? Counts::for_another_hook : Counts::for_itself;
}

void set_mark(const HookedFunction& function, uintptr_t frame, CallState& state) {
  if (!stands_for_its_calls(function)) return;
  InsideCalls::Mark& mark = inside_calls.of(function.domain);
  state.outer = is_close_below(mark.frame, frame) ? mark : InsideCalls::Mark{};
  mark = {frame, &function};
}

// The program's, of mimalloc: bool mi_heap_visit_blocks(heap, all, visitor, argument). An area without a block is
// announced first.
struct EndedHeap {
  const HookedFunction& function;
  const CapturePoint& caller;
};
bool record_end(const void*, const void*, void* block, size_t, void* argument) {
  const auto& heap = *static_cast<const EndedHeap*>(argument);
  if (block != nullptr) record_free(block, heap.function.function, heap.caller);
  return true;
}

void record_heap(const HookedFunction& function, const Arguments& arguments, const CapturePoint& caller) {
  if (function.helper == nullptr || arguments[0] == 0) return;
  using Visitor = bool(const void*, const void*, void*, size_t, void*);
  EndedHeap heap{function, caller};
  reinterpret_cast<bool (*)(uint64_t, bool, Visitor*, void*)>(function.helper)(arguments[0], true, record_end, &heap);
}

void record_chain(const HookedFunction& function, const Arguments& arguments, const CapturePoint& caller) {
  const uint64_t next_at = arguments[function.does->size];
  for (auto* block = static_cast<char*>(pointer(arguments[function.does->block])); block != nullptr;) {
    char* next;
    __builtin_memcpy(&next, block + next_at, sizeof(next));
    record_free(block, function.function, caller);
    block = next;
  }
}

// glibc's free and realloc may unmap: see malloc_hooks.cpp.
void note_before_unmapping(const HookedFunction& function, const Arguments& arguments, CallState& state) {
  const bool may_unmap = function.original == reinterpret_cast<void*>(real.free) ||
                         function.original == reinterpret_cast<void*>(real.realloc);
  const void* const block = may_unmap ? pointer(arguments[0]) : nullptr;
  if (__builtin_expect(block == nullptr || !is_mapping(block), 1)) return;
  state.unmapped = mapping_of(block);
  note_unreadable(state.unmapped.start, state.unmapped.bytes);
}

void note_before(const HookedFunction& function, const Arguments& arguments, CallState& state) {
  const AllocatorFunction& does = *function.does;
  switch (does.does) {
    case Does::reallocate:
    case Does::resize: state.begin_ticks = read_ticks_after_loads(); break;
    case Does::release:
      // What may fail is recorded when it has not, with the time before it.
      if (does.returns_status) {
        state.begin_ticks = read_ticks();
      } else if (void* const block = pointer(arguments[does.block])) {
        record_free(block, function.function, state.caller);
      }
      break;
    case Does::release_handle: state.begin_ticks = read_ticks(); break;
    case Does::release_chain: record_chain(function, arguments, state.caller); break;
    case Does::destroy_heap: record_heap(function, arguments, state.caller); break;
    case Does::grow_obstack:
      state.top = top_of(obstack_of(function, arguments));
      state.begin_ticks = read_ticks_after_loads();
      break;
    case Does::free_obstack:
      end_obstack_chunks(obstack_of(function, arguments), pointer(arguments[1]), function.function, state.caller);
      break;
    case Does::clear_pool:
    case Does::destroy_pool: end_foreign_pool(arguments[0], function.function, state.caller); break;
    default: break;
  }
}

void note_reallocated(const HookedFunction& function, const Arguments& arguments, uint64_t result,
                      const CallState& state) {
  const AllocatorFunction& does = *function.does;
  void* const old_block = pointer(arguments[does.block]);
  void* const block = pointer(result);
  const size_t size_bytes = size_of(does, arguments);
  if (block == nullptr) {
    if (old_block != nullptr && (size_bytes == 0 || does.releases_on_failure)) {
      record_realloc_free(old_block, function.function, state.begin_ticks, state.caller);
    }
  } else if (old_block == nullptr) {
    record_alloc(block, size_bytes, function.function, state.caller);
  } else {
    record_realloc(old_block, block, size_bytes, function.function, state.begin_ticks, state.caller);
  }
}

void note_resized(const HookedFunction& function, const Arguments& arguments, uint64_t result, const CallState& state) {
  void* const block = pointer(arguments[function.does->block]);
  const size_t size_bytes = arguments[function.does->size];
  const bool is_resized = result == arguments[function.does->block] || (result >= size_bytes && size_bytes != 0);
  if (block != nullptr && is_resized) {
    record_realloc(block, block, size_bytes, function.function, state.begin_ticks, state.caller);
  }
}

void note_after(const HookedFunction& function, const Arguments& arguments, uint64_t result, const CallState& state) {
  const AllocatorFunction& does = *function.does;
  const auto text_bytes = [&] { return __builtin_strlen(static_cast<const char*>(pointer(result))) + 1; };
  switch (does.does) {
    case Does::allocate:
      if (void* const block = block_of(does, arguments, result)) {
        record_alloc(block, size_of(does, arguments), function.function, state.caller);
      }
      break;
    case Does::reallocate: note_reallocated(function, arguments, result, state); break;
    case Does::resize: note_resized(function, arguments, result, state); break;
    case Does::release:
      if (does.returns_status && static_cast<uint32_t>(result) == 0 && arguments[does.block] != 0) {
        record_realloc_free(pointer(arguments[does.block]), function.function, state.begin_ticks, state.caller);
      }
      break;
    case Does::keep_handle:
      if (void* const handle = block_of(does, arguments, result)) keep_handle(reinterpret_cast<uintptr_t>(handle));
      break;
    case Does::release_handle:
      if (static_cast<uint32_t>(result) == 0 && !let_handle_go(arguments[does.block])) {
        record_realloc_free(pointer(arguments[does.block]), function.function, state.begin_ticks, state.caller);
      }
      break;
    case Does::copy_text:
      if (result != 0) record_alloc(pointer(result), text_bytes(), function.function, state.caller);
      break;
    case Does::allocate_from_pool:
      // No byte of a pool is the next one's too.
      if (const size_t size_bytes = size_of(does, arguments); result != 0 && size_bytes != 0) {
        note_foreign_pool_alloc(arguments[0], pointer(result), size_bytes, function.function, state.caller);
      }
      break;
    case Does::print_into_pool:
      if (result != 0) {
        note_foreign_pool_alloc(arguments[0], pointer(result), text_bytes(), function.function, state.caller);
      }
      break;
    // What the program's cleanups took from the pool ends too.
    case Does::clear_pool:
    case Does::destroy_pool: end_foreign_pool(arguments[0], function.function, state.caller); break;
    case Does::begin_obstack:
      if (static_cast<uint32_t>(result) == 0) break;
      note_obstack_begun(obstack_of(function, arguments), function.function, state.caller);
      break;
    case Does::grow_obstack:
      note_obstack_grown(obstack_of(function, arguments), state.top, function.function, state.begin_ticks,
                         state.caller);
      break;
    case Does::report_modules: hook_new_modules(); break;
    default: break;
  }
}

}  // namespace
}  // namespace memprof

using namespace memprof;

namespace {

MEMPROF_FIND_NEXT void find_all_allocators() {
  if (takes_client_calls()) hook_allocators();
}

}  // namespace

#define MEMPROF_HOOK_HALF extern "C" __attribute__((visibility("hidden"), used))

// `frame`: the caller's frame pointer, the function, the return address, the arguments that lie on the stack.
MEMPROF_HOOK_HALF void memprof_before_hooked_call(const uint64_t* registers, const HookedFunction* function,
                                                  const uintptr_t* frame, CallState* state) {
  const Arguments arguments{registers, frame + 3};
  const auto at = reinterpret_cast<uintptr_t>(frame);
  *state = {};
  state->outer.frame = kHasNoMark;
  CapturePoint caller{frame[2], at + 3 * sizeof(uintptr_t), frame[0]};
  note_before_unmapping(*function, arguments, *state);
  Counts counts = Counts::for_another_hook;
  if (!is_in_own_module(caller.pc)) {
    counts = counts_as(*function, at, caller.pc);
  } else if (const auto passed_on_at = reinterpret_cast<uintptr_t>(inside_calls.passed_on_for);
             is_close_below(passed_on_at, at)) {  // a hook of ours says for whom it does not record
    // A function that jumps to another: they are one call.
    const uintptr_t outer = inside_calls.of(function->domain).frame;
    if (is_close_below(outer, at) && outer < passed_on_at) return;
    caller = *inside_calls.passed_on_for;
    counts = counts_as(*function, at, caller.pc);
  }
  if (counts == Counts::no) return;
  if (counts == Counts::for_itself) {
    state->caller = caller;
    note_before(*function, arguments, *state);
  }
  set_mark(*function, at, *state);
}

MEMPROF_HOOK_HALF void memprof_after_hooked_call(uint64_t result, const uint64_t* registers,
                                                 const HookedFunction* function, const CallState* state) {
  if (state->unmapped.bytes != 0) note_unreadable(state->unmapped.start, state->unmapped.bytes);
  if (state->outer.frame != kHasNoMark) inside_calls.of(function->domain) = state->outer;
  if (state->caller.pc == 0) return;
  const auto* const stack = reinterpret_cast<const uint64_t*>(state->caller.sp);
  note_after(*function, {registers, stack}, result, *state);
}

// Of the Itanium C++ ABI, "Exception Handling": asked as an exception passes the hook. It has nothing to do but this.
MEMPROF_HOOK_HALF int memprof_hook_personality(int, int actions, uint64_t, void*, void*) {
  constexpr int kCleanupPhase = 2, kContinueUnwind = 8;
  if ((actions & kCleanupPhase) != 0) leave_all_calls();
  return kContinueUnwind;
}
