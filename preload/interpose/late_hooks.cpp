#include "interpose/late_hooks.h"

#include "allocators/find_allocators.h"
#include "allocators/module_symbols.h"
#include "entry_patch/entry_patch.h"
#include "platform/diagnostics.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "unwind/dynamic_symbols.h"

extern "C" void memprof_enter_hook() __attribute__((visibility("hidden")));

namespace memprof {

constinit void* late_functions[LateHooks::kMost] = {};

namespace {

// What memprof_enter_hook (entry_patch/hook_call_x86_64.cpp) reads.
struct LateEntry {
  void (*hook)();
  void* original;
  uintptr_t library_begin;  // calls out of here are libc's own
  uintptr_t library_bytes;
};
static_assert(sizeof(LateEntry) == 32);

struct PatchedHook {
  LateEntry entry;
  uintptr_t function;
  void** next;
};

constexpr unsigned kMostLibraries = 8;  // a program may have its own mmap
struct Patched {
  PatchedHook hooks[LateHooks::kMost];
  unsigned count;
  struct {
    uintptr_t stubs;
    unsigned count;
    CodeSegment code;
  } batches[kMostLibraries];
  unsigned batch_count;
};
// Not unmapped: threads may be in a stub.
constinit Patched* patched = nullptr;

struct Search {
  const LateHooks& hooks;
  bool is_thread_in_the_way = false;
};

void say_not_hooked(const char* name, PatchRefusal refusal) {
  Text<256> line;
  line.add("calls of ").add(name).add(" are not seen: it cannot be hooked, because ").add(text_of(refusal));
  say(line.c_str());
}

bool is_planned(uintptr_t function, unsigned first) {
  for (unsigned i = first; i < patched->count; ++i)
    if (patched->hooks[i].function == function) return true;
  return false;
}

int patch_library(dl_phdr_info* module, size_t, void* argument) {
  auto& search = *static_cast<Search*>(argument);
  const ModuleSymbols symbols(*module, nullptr);
  if (symbols.begin() == own_module_start() || patched->batch_count == kMostLibraries) return 0;
  const unsigned first = patched->count;
  CodeSegment code{};
  for (void* const function : late_functions) {
    if (code.end == 0) code = symbols.code_of(reinterpret_cast<uintptr_t>(function));
  }
  if (code.end == 0) return 0;
  PatchBatch patches(code);
  for (const LateHook& hook : search.hooks) {
    const auto function = reinterpret_cast<uintptr_t>(late_functions[&hook - search.hooks.begin()]);
    if (function < code.begin || function >= code.end || is_planned(function, first)) continue;
    PatchedHook& added = patched->hooks[patched->count];
    added = {{hook.hook, nullptr, code.begin, code.end - code.begin}, function, hook.next};
    const FoundFunction named = symbols.find("", hook.name);
    ByteRange found{};
    const size_t bytes = named.address == function        ? named.bytes
                         : find_function(function, found) ? static_cast<size_t>(found.end - found.begin)
                                                          : 0;
    const PatchRefusal refusal = patches.add(function, bytes, memprof_enter_hook, &added.entry, &added.entry.original);
    if (refusal == PatchRefusal::none) {
      ++patched->count;
    } else {
      say_not_hooked(hook.name, refusal);
    }
  }
  const PatchRefusal refusal = patches.commit();
  if (refusal != PatchRefusal::none) {
    if (refusal == PatchRefusal::thread_inside) {
      search.is_thread_in_the_way = true;
    } else {
      say_not_hooked("libc", refusal);
    }
    patched->count = first;
    return search.is_thread_in_the_way ? 1 : 0;
  }
  patched->batches[patched->batch_count++] = {patches.stubs(), patches.count(), code};
  for (const LateHook& hook : search.hooks) {
    for (unsigned i = first; i < patched->count && hook.next != nullptr; ++i) {
      const LateEntry& entry = patched->hooks[i].entry;
      if (reinterpret_cast<uintptr_t>(*hook.next) == patched->hooks[i].function) *hook.next = entry.original;
    }
  }
  return 0;
}

}  // namespace

LateHooks all_late_hooks() {
  LateHooks hooks;
  list_mapping_hooks(hooks);
  list_process_hooks(hooks);
  list_exec_hooks(hooks);
  list_spawn_hooks(hooks);
  list_jump_hooks(hooks);
  list_seccomp_hooks(hooks);
  return hooks;
}

void find_late_functions(void* (*first_of)(const char* name, void* next)) {
  unsigned at = 0;
  const LateHooks hooks = all_late_hooks();
  for (const LateHook& hook : hooks) {
    late_functions[at++] = first_of(hook.name, hook.next != nullptr ? *hook.next : nullptr);
  }
  for (const LateHook& hook : hooks) {
    if (hook.next != nullptr) *hook.next = late_functions[&hook - hooks.begin()];
  }
}

bool patch_late_hooks() {
  patched = static_cast<Patched*>(sys::map_anonymous(sizeof(Patched)));
  if (patched == nullptr) return true;
  const LateHooks hooks = all_late_hooks();
  Search search{hooks};
  visit_loaded_modules(patch_library, &search);
  return !search.is_thread_in_the_way;
}

void restore_late_hooks() {
  if (patched == nullptr) return;
  for (unsigned i = 0; i < patched->batch_count; ++i) {
    restore_patches(patched->batches[i].stubs, patched->batches[i].count, patched->batches[i].code);
  }
  for (const LateHook& hook : all_late_hooks()) {
    for (unsigned i = 0; i < patched->count && hook.next != nullptr; ++i) {
      const PatchedHook& one = patched->hooks[i];
      if (*hook.next == one.entry.original) *hook.next = reinterpret_cast<void*>(one.function);
    }
  }
  patched = nullptr;
}

}  // namespace memprof
