// What happens at a call of a hooked function (allocators/): the function is called as it was, and what it did is
// recorded as the hooks of malloc do it.
#include "allocators/find_allocators.h"
#include "allocators/hooked_function.h"
#include "client/foreign_pools.h"
#include "interpose/hook.h"
#include "interpose/inside_calls.h"
#include "interpose/next_function.h"
#include "lifecycle/lifecycle.h"
#include "platform/load_time.h"
#include "real_allocator/real_allocator.h"
#include "recorder/recorder.h"

namespace memprof {

constinit thread_local InsideCalls inside_calls = {};

namespace {

using Domain = format::Domain;

// Of a pool that ends, those below it end too, one by one, and the program's cleanups are called.
bool ends_pool(const HookedFunction& function) {
  return function.does->does == Does::clear_pool || function.does->does == Does::destroy_pool;
}

// While one lives, calls that this one makes in its domain are part of it.
class CallUnderWay {
 public:
  CallUnderWay(const HookedFunction& function, uintptr_t frame)
      : mark_(inside_calls.frames[static_cast<unsigned>(function.domain)]) {
    if (!ends_pool(function)) mark_ = frame;
  }
  ~CallUnderWay() { mark_ = 0; }
  CallUnderWay(const CallUnderWay&) = delete;
  CallUnderWay& operator=(const CallUnderWay&) = delete;

 private:
  uintptr_t& mark_;
};

uint64_t call_as_it_was(const HookedFunction& function, const Arguments& a) {
  const uint64_t* r = a.registers;
  if (!function.does->has_stack_arguments) {
    using Called = uint64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
    return reinterpret_cast<Called>(function.original)(r[0], r[1], r[2], r[3], r[4], r[5]);
  }
  using Called =
      uint64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
  const uint64_t* s = a.stack;
  return reinterpret_cast<Called>(function.original)(r[0], r[1], r[2], r[3], r[4], r[5], s[0], s[1], s[2], s[3]);
}

void* pointer(uint64_t value) { return reinterpret_cast<void*>(value); }

// glibc's free and realloc may unmap: see malloc_hooks.cpp.
uint64_t call_original(const HookedFunction& function, const Arguments& arguments) {
  const bool may_unmap = function.original == reinterpret_cast<void*>(real.free) ||
                         function.original == reinterpret_cast<void*>(real.realloc);
  const void* const block = may_unmap ? pointer(arguments[0]) : nullptr;
  if (__builtin_expect(block == nullptr || !is_mapping(block), 1)) return call_as_it_was(function, arguments);
  const Mapping mapping = mapping_of(block);
  note_unreadable(mapping.start, mapping.bytes);
  const uint64_t result = call_as_it_was(function, arguments);
  note_unreadable(mapping.start, mapping.bytes);
  return result;
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

bool is_part_of_another(const HookedFunction& function, uintptr_t frame, uintptr_t return_address) {
  if (ends_pool(function)) return false;
  if (function.is_alone && return_address >= function.module_begin && return_address < function.module_end) return true;
  return is_inside(inside_calls.frames[static_cast<unsigned>(function.domain)], frame);
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

void record_chain(const HookedFunction& function, const Arguments& arguments, const CapturePoint& caller) {
  const uint64_t next_at = arguments[function.does->size];
  for (auto* block = static_cast<char*>(pointer(arguments[function.does->block])); block != nullptr;) {
    char* next;
    __builtin_memcpy(&next, block + next_at, sizeof(next));
    record_free(block, function.function, caller);
    block = next;
  }
}

uint64_t call_reallocate(const HookedFunction& function, const Arguments& arguments, uintptr_t frame,
                         const CapturePoint& caller) {
  const AllocatorFunction& does = *function.does;
  const uint64_t begin_ticks = read_ticks_after_loads();
  const CallUnderWay under_way(function, frame);
  const uint64_t result = call_original(function, arguments);
  void* const old_block = pointer(arguments[does.block]);
  void* const block = pointer(result);
  const size_t size_bytes = size_of(does, arguments);
  if (block == nullptr) {
    if (old_block != nullptr && (size_bytes == 0 || does.releases_on_failure)) {
      record_realloc_free(old_block, function.function, begin_ticks, caller);
    }
  } else if (old_block == nullptr) {
    record_alloc(block, size_bytes, function.function, caller);
  } else {
    record_realloc(old_block, block, size_bytes, function.function, begin_ticks, caller);
  }
  return result;
}

uint64_t call_resize(const HookedFunction& function, const Arguments& arguments, uintptr_t frame,
                     const CapturePoint& caller) {
  const uint64_t begin_ticks = read_ticks_after_loads();
  const CallUnderWay under_way(function, frame);
  const uint64_t result = call_original(function, arguments);
  void* const block = pointer(arguments[function.does->block]);
  const size_t size_bytes = arguments[function.does->size];
  const bool is_resized = result == arguments[function.does->block] || (result >= size_bytes && size_bytes != 0);
  if (block != nullptr && is_resized) {
    record_realloc(block, block, size_bytes, function.function, begin_ticks, caller);
  }
  return result;
}

// What may fail is recorded when it has not, with the time before it.
uint64_t call_release(const HookedFunction& function, const Arguments& arguments, uintptr_t frame,
                      const CapturePoint& caller) {
  void* const block = pointer(arguments[function.does->block]);
  const bool may_fail = function.does->returns_status;
  const uint64_t begin_ticks = may_fail ? read_ticks() : 0;
  if (block != nullptr && !may_fail) record_free(block, function.function, caller);
  const CallUnderWay under_way(function, frame);
  const uint64_t result = call_original(function, arguments);
  if (block != nullptr && may_fail && static_cast<uint32_t>(result) == 0) {
    record_realloc_free(block, function.function, begin_ticks, caller);
  }
  return result;
}

uint64_t call_allocate(const HookedFunction& function, const Arguments& arguments, uintptr_t frame,
                       const CapturePoint& caller) {
  const CallUnderWay under_way(function, frame);
  const uint64_t result = call_original(function, arguments);
  if (void* const block = block_of(*function.does, arguments, result)) {
    record_alloc(block, size_of(*function.does, arguments), function.function, caller);
  }
  return result;
}

uint64_t call_of(const HookedFunction& function, const Arguments& arguments, uintptr_t frame,
                 const CapturePoint& caller) {
  switch (function.does->does) {
    case Does::allocate: return call_allocate(function, arguments, frame, caller);
    case Does::reallocate: return call_reallocate(function, arguments, frame, caller);
    case Does::resize: return call_resize(function, arguments, frame, caller);
    case Does::release: return call_release(function, arguments, frame, caller);
    default: break;
  }
  switch (function.does->does) {
    case Does::release_chain: record_chain(function, arguments, caller); break;
    case Does::destroy_heap:
      if (function.helper != nullptr && arguments[0] != 0) {
        using Visitor = bool(const void*, const void*, void*, size_t, void*);
        EndedHeap heap{function, caller};
        reinterpret_cast<bool (*)(uint64_t, bool, Visitor*, void*)>(function.helper)(arguments[0], true, record_end,
                                                                                     &heap);
      }
      break;
    case Does::clear_pool:
    case Does::destroy_pool: end_foreign_pool(arguments[0], function.function, caller); break;
    default: break;
  }
  const CallUnderWay under_way(function, frame);
  const uint64_t result = call_original(function, arguments);
  const auto text_bytes = [&] { return __builtin_strlen(static_cast<const char*>(pointer(result))) + 1; };
  switch (function.does->does) {
    case Does::copy_text:
      if (result != 0) record_alloc(pointer(result), text_bytes(), function.function, caller);
      break;
    case Does::allocate_from_pool:
      if (result != 0) {
        note_foreign_pool_alloc(arguments[0], pointer(result), size_of(*function.does, arguments), function.function,
                                caller);
      }
      break;
    case Does::print_into_pool:
      if (result != 0) {
        note_foreign_pool_alloc(arguments[0], pointer(result), text_bytes(), function.function, caller);
      }
      break;
    case Does::report_modules: hook_new_modules(); break;
    default: break;
  }
  return result;
}

}  // namespace
}  // namespace memprof

using namespace memprof;

namespace {

MEMPROF_FIND_NEXT void find_all_allocators() {
  if (takes_client_calls()) hook_allocators();
}

}  // namespace

extern "C" __attribute__((visibility("hidden"), used)) uint64_t memprof_on_hooked_call(const uint64_t* registers,
                                                                                       const HookedFunction* function,
                                                                                       const uintptr_t* frame) {
  const Arguments arguments{registers, frame + 2};
  const auto at = reinterpret_cast<uintptr_t>(frame);
  CapturePoint caller{frame[1], at + 2 * sizeof(uintptr_t), frame[0]};
  if (is_in_own_module(caller.pc)) {  // a hook of ours records, or says for whom it does not
    const CapturePoint* const passed_on_for = inside_calls.passed_on_for;
    if (!is_inside(reinterpret_cast<uintptr_t>(passed_on_for), at)) return call_original(*function, arguments);
    caller = *passed_on_for;
  }
  if (is_part_of_another(*function, at, caller.pc) || is_in_hooked_operator(caller.pc))
    return call_original(*function, arguments);
  return call_of(*function, arguments, at, caller);
}
