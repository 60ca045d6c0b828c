#include "allocators/find_allocators.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

#include "allocators/hooking.h"
#include "allocators/loaded_modules.h"
#include "allocators/module_symbols.h"
#include "interpose/cxx_runtime.h"
#include "interpose/next_function.h"
#include "lifecycle/settings.h"
#include "platform/diagnostics.h"
#include "platform/own_module.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "real_allocator/real_allocator.h"
#include "unwind/unwinder.h"

namespace memprof {

using format::Domain;
using format::Family;
using format::Function;

namespace {

// Not what the program may have in its place: a sanitizer's works only once that is set up.
constinit NextFunction<int(int (*)(dl_phdr_info*, size_t, void*), void*)> visit_modules("dl_iterate_phdr");

struct State {
  Hooks hooks;
  LoadedModules modules;
};
constinit State* state = nullptr;
// Of a program that ran before: malloc and the operators are hooked too.
constinit bool is_late = false;

constexpr const char* kSanitizers[] = {"__asan_init", "__hwasan_init", "__tsan_init", "__msan_init",
                                       "__lsan_do_leak_check"};
// Sanitizers check what they hand out against their own record of it, and say themselves what leaks.
bool is_sanitizer(const ModuleSymbols& symbols) {
  for (const char* const name : kSanitizers)
    if (symbols.find("", name).address != 0) return true;
  return false;
}

struct Search {
  const ProgramFile* program_file;
  uintptr_t late_malloc;  // of a late start: the one that the program calls
  bool looks_for_malloc;  // from the program on, up to memprof: the first is called instead of memprof's
};

// The next allocator's own calls are part of those that memprof's malloc hands on to it.
void note_if_next_allocator(const ModuleSymbols& symbols) {
  const uintptr_t begin = symbols.begin(), end = symbols.end();
  if (has_next_function(begin, end) && !is_libc(symbols) && !is_in_next_allocator(begin))
    note_next_allocator(begin, end);
}

// The first that the program exports, or a library, is everybody's. One that it hides serves the program alone.
bool replaces_malloc(Search& search, const ModuleSymbols& symbols, uintptr_t own_malloc, bool is_program) {
  if (own_malloc == 0) return false;
  if (!symbols.exports("malloc")) return is_program;
  if (search.late_malloc != 0) return own_malloc == search.late_malloc;
  const bool is_first = search.looks_for_malloc;
  search.looks_for_malloc = false;
  return is_first;
}

// libc's calls of its obstacks come to the hooks that memprof exports (interpose/obstack_hooks.cpp).
bool is_stood_in_for(const Allocator& allocator, const ModuleSymbols& symbols) {
  return text_equals(allocator.name, "obstack") && is_libc(symbols);
}

int hook_module(dl_phdr_info* module, size_t, void* argument) {
  auto& search = *static_cast<Search*>(argument);
  const bool is_program = module->dlpi_name == nullptr || *module->dlpi_name == '\0';
  const ModuleSymbols symbols(*module, is_program ? search.program_file : nullptr);
  if (symbols.begin() == own_module_start()) search.looks_for_malloc = false;
  if (state->modules.meet(symbols.begin()) || symbols.begin() == own_module_start()) return 0;
  if (symbols.has_text_relocations()) return 0;  // the loader has still to write into its code
  if (!is_program) note_if_next_allocator(symbols);

  const FoundFunction own_malloc = symbols.find("", "malloc");
  const bool serves_malloc = own_malloc.address != 0;
  if (replaces_malloc(search, symbols, own_malloc.address, is_program) && !is_sanitizer(symbols)) {
    const bool is_done = state->hooks.hook({*module, symbols, kReplacedMalloc, "", true}, own_malloc.address);
    if (is_done && symbols.exports("malloc")) note_first_malloc_hooked();
  }
  if (is_late && is_cxx_runtime(module->dlpi_name)) {
    const FoundFunction anchor = symbols.find("", kRuntimeOperators.anchor);
    if (anchor.address != 0) state->hooks.hook({*module, symbols, kRuntimeOperators, "", true}, anchor.address);
  }
  for (unsigned i = 0; i < kAllocatorCount; ++i) {
    const Allocator& allocator = kAllocators[i];
    if (!is_late && is_stood_in_for(allocator, symbols)) continue;
    for (const char* const* prefix = allocator.prefixes; *prefix != nullptr; ++prefix) {
      const FoundFunction anchor = symbols.find(*prefix, allocator.anchor);
      if (anchor.address == 0) continue;
      state->hooks.hook({*module, symbols, allocator, *prefix, serves_malloc && **prefix == '\0'}, anchor.address);
    }
  }
  return 0;
}

int hook_loader(dl_phdr_info* module, size_t, void*) {
  const ModuleSymbols symbols(*module, nullptr);
  const auto report = static_cast<uintptr_t>(_r_debug.r_brk);
  if (symbols.code_of(report).end == 0) return 0;
  state->hooks.hook({*module, symbols, kLoader, "", false}, report);
  return 1;
}

// The program's own operators are those that the loader meets before a runtime's.
struct SeenOperators {
  uint32_t first, replaced;  // bit CxxOperator
};
int note_operators_of(dl_phdr_info* module, size_t, void* argument) {
  auto& seen = *static_cast<SeenOperators*>(argument);
  const ModuleSymbols symbols(*module, nullptr);
  if (symbols.begin() == own_module_start()) return 0;
  for (unsigned i = 0; i < kCxxOperatorCount; ++i) {
    const uint32_t bit = 1u << i;
    if ((seen.first & bit) != 0 || !symbols.exports(cxx_operator_name(i))) continue;
    seen.first |= bit;
    if (!is_cxx_runtime(module->dlpi_name)) seen.replaced |= bit;
  }
  return 0;
}
void find_replaced_operators() {
  SeenOperators seen{};
  visit_modules.get()(note_operators_of, &seen);
  note_replaced_operators(seen.replaced);
}

void read_symbols(ProgramFile& program_file) {
  const auto ask_for_all = [&](const Allocator& allocator) {
    for (const char* const* prefix = allocator.prefixes; *prefix != nullptr; ++prefix) {
      for (unsigned i = 0; i < allocator.count; ++i) {
        program_file.ask_for(*prefix, allocator.functions[i].name);
        if (allocator.functions[i].helper != nullptr) program_file.ask_for(*prefix, allocator.functions[i].helper);
      }
    }
  };
  ask_for_all(kReplacedMalloc);
  for (unsigned i = 0; i < kAllocatorCount; ++i) ask_for_all(kAllocators[i]);
  for (const char* const name : kSanitizers) program_file.ask_for("", name);
  uintptr_t load_bias = 0;
  visit_modules.get()(
      [](dl_phdr_info* module, size_t, void* bias) {
        *static_cast<uintptr_t*>(bias) = module->dlpi_addr;
        return 1;  // the program comes first
      },
      &load_bias);
  program_file.read(load_bias);
  const CodeSegment v8 = program_file.v8_builtins();
  if (v8.end != 0) note_v8(v8.begin, v8.end);
}

void hook_all(uintptr_t late_malloc) {
  ProgramFile program_file("/proc/self/exe");
  if (program_file.has_symbols()) read_symbols(program_file);
  if (!settings.patch) return;
  state = static_cast<State*>(sys::map_anonymous(sizeof(State)));
  if (state == nullptr) return;
  state->modules.begin_visit();
  Search search{&program_file, late_malloc, late_malloc == 0};
  visit_modules.get()(hook_module, &search);
  visit_modules.get()(hook_loader, nullptr);
}

}  // namespace

void find_module_visitor() { visit_modules.get(); }

void visit_loaded_modules(int (*visit)(dl_phdr_info*, size_t, void*), void* argument) {
  visit_modules.get()(visit, argument);
}

void hook_allocators() { hook_all(0); }

LateHooking hook_allocators_late() {
  is_late = true;
  first_malloc_refusal = {};
  const auto first_malloc = reinterpret_cast<uintptr_t>(real.malloc);
  find_replaced_operators();
  hook_all(first_malloc);
  if (state != nullptr && state->hooks.met_thread()) return LateHooking::thread_in_the_way;
  if (reinterpret_cast<uintptr_t>(real.malloc) != first_malloc) return LateHooking::done;  // led behind us
  Text<1024> line;
  line.add("cannot record: the program's malloc cannot be hooked, because ");
  if (const auto [function, reason] = first_malloc_refusal; function != nullptr) {
    line.add(function).add(" cannot: ").add(reason);
  } else {
    line.add(!settings.patch    ? "MEMPROF_PATCH=0"
             : state != nullptr ? "it is a sanitizer's, or not found"
                                : "there is no address space left");
  }
  say(line.c_str());
  return LateHooking::no_malloc;
}

void unhook_allocators() {
  if (state == nullptr) return;
  visit_modules.get()(
      [](dl_phdr_info* module, size_t, void*) {
        state->hooks.restore(ModuleSymbols(*module, nullptr));
        return 0;
      },
      nullptr);
  call_functions_as_found();
  forget_cxx_operators();
  state = nullptr;  // not unmapped: hooks that have begun read it
  is_late = false;
}

void hook_new_modules() {
  if (state == nullptr || _r_debug.r_state != r_debug::RT_CONSISTENT) return;
  state->modules.begin_visit();
  if (is_late) find_replaced_operators();
  Search search{nullptr, 0, false};
  visit_modules.get()(hook_module, &search);
  state->hooks.forget_unloaded([](uintptr_t module_begin) { return state->modules.is_there(module_begin); });
}

}  // namespace memprof
