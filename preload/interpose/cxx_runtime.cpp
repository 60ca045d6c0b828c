#include "interpose/cxx_runtime.h"

#include <dlfcn.h>
#include <link.h>

#include <atomic>

#include "interpose/hook.h"
#include "platform/load_time.h"
#include "platform/rare_lock.h"
#include "platform/text.h"

namespace memprof {

constinit NestedCode nested_code = {};
constinit std::atomic<void*> found_cxx_operators[kCxxOperators] = {};
constinit std::atomic<uint32_t> operators_passed_on{0};

namespace {

constexpr const char* kNames[kCxxOperators] = {
    "_Znwm",
    "_ZnwmRKSt9nothrow_t",
    "_ZnwmSt11align_val_t",
    "_ZnwmSt11align_val_tRKSt9nothrow_t",
    "_Znam",
    "_ZnamRKSt9nothrow_t",
    "_ZnamSt11align_val_t",
    "_ZnamSt11align_val_tRKSt9nothrow_t",
    "_ZdlPv",
    "_ZdlPvm",
    "_ZdlPvRKSt9nothrow_t",
    "_ZdlPvSt11align_val_t",
    "_ZdlPvmSt11align_val_t",
    "_ZdlPvSt11align_val_tRKSt9nothrow_t",
    "_ZdaPv",
    "_ZdaPvm",
    "_ZdaPvRKSt9nothrow_t",
    "_ZdaPvSt11align_val_t",
    "_ZdaPvmSt11align_val_t",
    "_ZdaPvSt11align_val_tRKSt9nothrow_t",
};
// What the C++ standard says that each calls by default ([new.delete]); itself: none.
constexpr CxxOperator kCalls[kCxxOperators] = {
    kNew,
    kNew,
    kNewAligned,
    kNewAligned,
    kNew,
    kNewArray,
    kNewAligned,
    kNewArrayAligned,
    kDelete,
    kDelete,
    kDelete,
    kDeleteAligned,
    kDeleteAligned,
    kDeleteAligned,
    kDelete,
    kDeleteArray,
    kDeleteArray,
    kDeleteAligned,
    kDeleteArrayAligned,
    kDeleteArrayAligned,
};
constexpr const char* kRuntimes[] = {"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"};

constinit RareLock noting;

bool is_ours(void* function) { return is_in_own_module(reinterpret_cast<uintptr_t>(function)); }

void* search(const char* name, const void* caller) {
  void* function = dlsym(RTLD_NEXT, name);
  Dl_info info;
  link_map* map = nullptr;
  if (function == nullptr && caller != nullptr &&
      dladdr1(caller, &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) != 0 && map != nullptr) {
    function = dlsym(map, name);  // the caller's own dependencies
    if (function != nullptr && is_ours(function)) function = nullptr;
  }
  for (const char* runtime : kRuntimes) {
    if (function != nullptr || !sys::may_call()) break;  // dlopen looks for files
    void* handle = dlopen(runtime, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) continue;
    function = dlsym(handle, name);
    dlclose(handle);
  }
  return function;
}

// So that the malloc in the body of an operator is not a second allocation.
void add_body(uintptr_t begin, size_t bytes) {
  const CodeRange body{begin, begin + bytes + 1};  // a call at the very end returns past it
  RareGuard guard(noting);
  if (!guard.held() || nested_code.count == kMaxNestedRanges) return;
  nested_code.ranges[nested_code.count] = body;
  std::atomic_ref(nested_code.count).store(nested_code.count + 1, std::memory_order_release);
  if (nested_code.hull.end == 0 || body.end > nested_code.hull.end) nested_code.hull.end = body.end;
  if (nested_code.hull.begin == 0 || body.begin < nested_code.hull.begin) nested_code.hull.begin = body.begin;
}

// Remembers where the body of an operator lies.
void note_body(void* function) {
  Dl_info info;
  const ElfW(Sym)* symbol = nullptr;
  if (dladdr1(function, &info, const_cast<void**>(reinterpret_cast<const void**>(&symbol)), RTLD_DL_SYMENT) == 0)
    return;
  if (symbol == nullptr || info.dli_saddr != function) return;
  add_body(reinterpret_cast<uintptr_t>(function), symbol->st_size);
}

void note_passed_on(uint32_t replaced) {
  uint32_t passed_on = 0;
  for (unsigned i = 0; i < kCxxOperators; ++i) {
    for (unsigned from = i; kCalls[from] != from;) {
      from = kCalls[from];
      if ((replaced & 1u << from) != 0) passed_on |= 1u << i;
    }
  }
  operators_passed_on.store(passed_on, std::memory_order_relaxed);
}

void find_replaced_operators() {
  uint32_t replaced = 0;
  for (unsigned i = 0; i < kCxxOperators; ++i) {
    void* function = dlsym(RTLD_DEFAULT, kNames[i]);
    if (function != nullptr && !is_ours(function)) replaced |= 1u << i;
  }
  note_passed_on(replaced);
}

unsigned operator_named(const char* name) {
  unsigned which = 0;
  while (which < kCxxOperators && !text_equals(kNames[which], name)) ++which;
  return which;
}

}  // namespace

bool is_in_runtime_operator(uintptr_t address) {
  const unsigned count = std::atomic_ref(nested_code.count).load(std::memory_order_acquire);  // pairs with note_body
  for (unsigned i = 0; i < count; ++i) {
    const CodeRange& range = nested_code.ranges[i];
    if (address >= range.begin && address < range.end) return true;
  }
  return false;
}

void* look_up_cxx_operator(CxxOperator which, const void* caller) {
  // The whole family, as one operator calls the others.
  for (unsigned i = 0; i < kCxxOperators; ++i) {
    if (found_cxx_operators[i].load(std::memory_order_relaxed) != nullptr) continue;
    void* operation = search(kNames[i], caller);
    if (operation == nullptr) continue;
    void* expected = nullptr;
    note_body(operation);
    found_cxx_operators[i].compare_exchange_strong(expected, operation, std::memory_order_release);
  }
  find_replaced_operators();
  return found_cxx_operators[which].load(std::memory_order_acquire);
}

void forget_unloaded_cxx_operators() {
  bool gone = false;
  for (std::atomic<void*>& function : found_cxx_operators) {
    void* address = function.load(std::memory_order_acquire);
    Dl_info info;
    gone |= address != nullptr && dladdr(address, &info) == 0;
  }
  if (gone) forget_cxx_operators();
}

void forget_cxx_operators() {
  RareGuard guard(noting);
  if (!guard.held()) return;
  for (std::atomic<void*>& function : found_cxx_operators) function.store(nullptr, std::memory_order_relaxed);
  std::atomic_ref(nested_code.count).store(0, std::memory_order_release);
  nested_code.hull = {0, 0};
}

const char* cxx_operator_name(unsigned which) { return kNames[which]; }

bool is_cxx_runtime(const char* path) {
  for (const char* runtime : kRuntimes)
    if (path != nullptr && text_contains(path, runtime)) return true;
  return false;
}

void note_replaced_operators(uint32_t replaced) { note_passed_on(replaced); }

bool is_passed_on(const char* name) {
  const unsigned which = operator_named(name);
  return which < kCxxOperators && is_passed_on(static_cast<CxxOperator>(which));
}

void note_hooked_operator(const char* name, uintptr_t function, size_t bytes) {
  const unsigned which = operator_named(name);
  if (which == kCxxOperators) return;
  found_cxx_operators[which].store(reinterpret_cast<void*>(function), std::memory_order_release);
  add_body(function, bytes);
}

void find_loaded_cxx_operators() {
  if (was_loaded_late()) return;  // find_allocators does
  for (const link_map* map = _r_debug.r_map; map != nullptr; map = map->l_next) {
    if (!is_cxx_runtime(map->l_name)) continue;
    find_cxx_operator(kNew, nullptr);
    return;
  }
}

}  // namespace memprof
