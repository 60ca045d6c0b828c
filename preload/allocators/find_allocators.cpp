#include "allocators/find_allocators.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

#include "allocators/defined_functions.h"
#include "allocators/hooked_function.h"
#include "allocators/module_symbols.h"
#include "entry_patch/entry_patch.h"
#include "interpose/cxx_runtime.h"
#include "interpose/next_function.h"
#include "lifecycle/settings.h"
#include "platform/diagnostics.h"
#include "platform/own_module.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "real_allocator/real_allocator.h"
#include "unwind/unwinder.h"

extern "C" void memprof_hook_call() __attribute__((visibility("hidden")));

namespace memprof {

using format::Domain;
using format::Family;
using format::Function;

namespace {

// Not what the program may have in its place: a sanitizer's works only once that is set up.
constinit NextFunction<int(int (*)(dl_phdr_info*, size_t, void*), void*)> visit_modules("dl_iterate_phdr");

constexpr unsigned kMostHooked = 320, kMostBatches = 64;

struct Batch {
  uintptr_t stubs;  // 0: free
  size_t stub_bytes;
  unsigned count;
  uintptr_t first_function;
  uintptr_t module_begin;
};

// The modules that there were when the loader last said so: one that is there again was looked at when it came. Later
// is too late: other threads may be in it.
class Modules {
 public:
  void begin_visit() { ++visit_; }
  // Whether it was there at the visit before.
  bool meet(uintptr_t begin) {
    Place* const place = place_of(begin);
    if (place == nullptr) return true;  // no room: it is not looked at
    const bool was_there = place->begin == begin && place->visit + 1 == visit_;
    *place = {begin, visit_};
    return was_there;
  }
  bool is_there(uintptr_t begin) {
    const Place* const place = place_of(begin);
    return place == nullptr || (place->begin == begin && place->visit == visit_);
  }

 private:
  struct Place {
    uintptr_t begin;  // 0: free
    uint64_t visit;   // the last at which it was there
  };
  static constexpr unsigned kPlaces = 1024, kMostTries = 256;

  // Its own, or one that may become it.
  Place* place_of(uintptr_t begin) {
    Place* stale = nullptr;
    unsigned at = static_cast<unsigned>((begin >> 12) * 0x9E3779B97F4A7C15 >> 54);
    for (unsigned tries = 0; tries < kMostTries; ++tries, at = (at + 1) % kPlaces) {
      Place& place = places_[at];
      if (place.begin == begin) return &place;
      if (place.begin == 0) return stale != nullptr ? stale : &place;
      if (stale == nullptr && place.visit + 1 < visit_) stale = &place;
    }
    return stale;
  }

  uint64_t visit_;
  Place places_[kPlaces];
};

struct State {
  HookedFunction hooked[kMostHooked];  // module_end 0: free
  Batch batches[kMostBatches];
  Modules modules;
};
constinit State* state = nullptr;
// Of a program that ran before: malloc and the operators are hooked too.
constinit bool is_late = false;
constinit bool met_thread = false;

constexpr AllocatorFunction kReportModules[] = {{.name = "_dl_debug_state", .does = Does::report_modules}};
constexpr const char* kNoPrefix[] = {"", nullptr};
constexpr Allocator kLoader = {"loader", "_dl_debug_state", kNoPrefix, Domain::external, kReportModules, 1};

HookedFunction* free_hooked() {
  for (HookedFunction& function : state->hooked)
    if (function.module_end == 0) return &function;
  return nullptr;
}

Batch* free_batch() {
  for (Batch& batch : state->batches)
    if (batch.stubs == 0) return &batch;
  return nullptr;
}

// What the format calls the function, if it has a number for it.
Function known_function(const char* prefix, const char* name) {
  if (*prefix != '\0') return Function::none;
  if (text_contains(name, "_Znw")) return Function::operator_new;
  if (text_contains(name, "_Zna")) return Function::operator_new_array;
  if (text_contains(name, "_Zdl")) return Function::operator_delete;
  if (text_contains(name, "_Zda")) return Function::operator_delete_array;
  if (text_equals(name, "cfree")) return Function::free;
  for (const format::FunctionInfo& info : format::kFunctions)
    if (text_equals(info.name, name)) return info.function;
  return Function::none;
}

// Memory of devices, of the host, handles of memory and arrays of both kinds are freed by functions of their own each,
// the driver's as well as the runtime's.
constexpr unsigned kGpuKinds = 5;
unsigned gpu_kind_of(const char* function) {
  if (text_contains(function, "Host")) return 1;
  if (text_contains(function, "Mipmapped")) return 2;
  if (text_contains(function, "Array")) return 3;
  return text_contains(function, "MemCreate") || text_contains(function, "MemRelease") ? 4 : 0;
}

// Of allocators whose blocks libc's free takes as well: malloc's.
uint8_t family_of(const Allocator& allocator, const AllocatorFunction& function, bool serves_malloc) {
  if (serves_malloc && allocator.domain == Domain::cpu) {
    const bool is_tcmalloc = text_equals(allocator.name, "tcmalloc");
    if (is_tcmalloc && (text_contains(function.name, "newarray") || text_contains(function.name, "deletearray"))) {
      return static_cast<uint8_t>(Family::array_new);
    }
    if (is_tcmalloc && (text_contains(function.name, "_new") || text_contains(function.name, "_delete"))) {
      return static_cast<uint8_t>(Family::scalar_new);
    }
    return static_cast<uint8_t>(Family::malloc);
  }
  unsigned first = 0;
  while (!text_equals(kAllocators[first].name, allocator.name)) ++first;
  const unsigned kind = allocator.domain == Domain::gpu ? gpu_kind_of(function.name) : 0;
  return static_cast<uint8_t>(format::kFirstDefinedFamily + first * kGpuKinds + kind);
}

uint8_t family_of(Function known) {
  return static_cast<uint8_t>(format::kFunctions[static_cast<uint16_t>(known)].family);
}

// Other allocators have a __libc_malloc too.
bool is_libc(const ModuleSymbols& symbols) { return symbols.exports("gnu_get_libc_version"); }

void say_refused(const dl_phdr_info& module, const Allocator& allocator, const char* prefix, const char* function,
                 PatchRefusal refusal) {
  Text<1024> line;
  line.add("blocks of ").add(allocator.name).add(" in ");
  line.add(module.dlpi_name != nullptr && *module.dlpi_name != '\0' ? module.dlpi_name : "the program");
  line.add(" are not recorded: ").add(prefix).add(function).add(" cannot be hooked, because ").add(text_of(refusal));
  say(line.c_str());
}

// One allocator of one module, under one prefix.
class Hooking {
 public:
  Hooking(const dl_phdr_info& module, const ModuleSymbols& symbols, const Allocator& allocator, const char* prefix,
          bool serves_malloc)
      : module_(module), symbols_(symbols), allocator_(allocator), prefix_(prefix), serves_malloc_(serves_malloc) {}

  bool hook(uintptr_t anchor) {
    Batch* const batch = free_batch();
    if (batch == nullptr) return refuse(allocator_.anchor, PatchRefusal::too_many);
    PatchBatch patches(symbols_.code_of(anchor));
    const bool is_whole = add_all(patches) && commit(patches);
    if (!is_whole) {
      for (unsigned i = 0; i < count_; ++i) *added_[i] = {};
      return false;
    }
    if (patches.count() == 0) return true;
    *batch = {patches.stubs(), patches.stub_bytes(), patches.count(), entries_[0], symbols_.begin()};
    for (unsigned i = 0; i < count_; ++i) call_original_behind_us(entries_[i], added_[i]->original);
    for (unsigned i = 0; i < count_ && &allocator_ == &kRuntimeOperators; ++i) {
      note_hooked_operator(added_[i]->does->name, entries_[i], symbols_.find("", added_[i]->does->name).bytes);
    }
    return true;
  }

 private:
  bool refuse(const char* function, PatchRefusal refusal) {
    met_thread |= refusal == PatchRefusal::thread_inside;
    if (refusal == PatchRefusal::thread_inside) return false;
    if (&allocator_ == &kLoader) {
      // No block is known to be missing: the program may load no allocator.
      if (settings.verbose) say("libraries that are loaded later are not searched for allocators");
    } else if (&allocator_ == &kReplacedMalloc && symbols_.exports("malloc")) {
      note_first_malloc_refused(function, text_of(refusal));
    } else {
      say_refused(module_, allocator_, prefix_, function, refusal);
    }
    return false;
  }

  // Whoever calls it is led to memprof's own function of that name.
  bool is_met_already(const AllocatorFunction& function) const {
    return &allocator_ != &kReplacedMalloc && &allocator_ != &kRuntimeOperators && *prefix_ == '\0' &&
           known_function(prefix_, function.name) != Function::none && is_name_of_libc(function.name);
  }
  static bool is_name_of_libc(const char* name) {
    for (unsigned i = 0; i < kReplacedMalloc.count; ++i)
      if (text_equals(kReplacedMalloc.functions[i].name, name)) return true;
    return false;
  }
  bool is_patched_before(uintptr_t address) const {
    for (const Batch& batch : state->batches)
      if (batch.stubs != 0 && is_patched(address, batch.stubs, batch.stub_bytes)) return true;
    for (unsigned i = 0; i < count_; ++i)
      if (entries_[i] == address) return true;
    return false;
  }

  uint8_t family_named(const AllocatorFunction& function) const {
    const Function known = known_function(prefix_, function.name);
    return known != Function::none ? family_of(known) : family_of(allocator_, function, serves_malloc_);
  }

  // Where malloc's and the operators' names lead to one function, nobody can tell what was called: it fits them all.
  bool has_names_of_other_families(uintptr_t address, uint8_t family) const {
    if (!serves_malloc_) return false;
    for (unsigned i = 0; i < kReplacedMalloc.count; ++i) {
      const char* const name = kReplacedMalloc.functions[i].name;
      if (family_of(known_function("", name)) != family && symbols_.find("", name).address == address) return true;
    }
    for (unsigned i = 0; i < allocator_.count; ++i) {
      const AllocatorFunction& other = allocator_.functions[i];
      if (family_named(other) != family && symbols_.find(prefix_, other.name).address == address) return true;
    }
    return false;
  }

  Function number_of(const AllocatorFunction& function, uintptr_t address) const {
    if (allocator_.domain == Domain::external) return Function::none;  // the loader's
    const Function known = known_function(prefix_, function.name);
    const uint8_t family = family_named(function);
    const bool fits_all = has_names_of_other_families(address, family);
    if (known != Function::none && !fits_all) return known;
    const char* const name =
        known != Function::none ? format::kFunctions[static_cast<uint16_t>(known)].name : function.name;
    return define_function(prefix_, name, allocator_.name, allocator_.domain,
                           fits_all ? static_cast<uint8_t>(Family::none) : family);
  }

  bool add_all(PatchBatch& patches) {
    for (unsigned i = 0; i < allocator_.count; ++i) {
      const AllocatorFunction& function = allocator_.functions[i];
      const FoundFunction found = symbols_.find(prefix_, function.name);
      if (found.address == 0 || is_met_already(function) || is_patched_before(found.address)) continue;
      if (&allocator_ == &kRuntimeOperators && is_passed_on(function.name)) continue;
      HookedFunction* const added = free_hooked();
      if (added == nullptr || count_ == PatchBatch::kMost) return refuse(function.name, PatchRefusal::too_many);
      *added = {nullptr,
                function.has_stack_arguments,
                &function,
                nullptr,
                number_of(function, found.address),
                allocator_.domain,
                symbols_.begin(),
                symbols_.end(),
                &allocator_ == &kReplacedMalloc && is_libc(symbols_) ? found.address : 0};
      if (function.helper != nullptr) {
        added->helper = reinterpret_cast<void*>(symbols_.find(prefix_, function.helper).address);
      }
      entries_[count_] = found.address;
      added_[count_++] = added;
      const PatchRefusal refusal = patches.add(found.address, found.bytes, memprof_hook_call, added, &added->original);
      if (refusal != PatchRefusal::none) return refuse(function.name, refusal);
    }
    return true;
  }

  bool commit(PatchBatch& patches) {
    const PatchRefusal refusal = patches.commit();
    return refusal == PatchRefusal::none || refuse(allocator_.anchor, refusal);
  }

  const dl_phdr_info& module_;
  const ModuleSymbols& symbols_;
  const Allocator& allocator_;
  const char* const prefix_;
  const bool serves_malloc_;
  unsigned count_ = 0;
  HookedFunction* added_[PatchBatch::kMost];
  uintptr_t entries_[PatchBatch::kMost];
};

constexpr const char* kSanitizers[] = {"__asan_init", "__hwasan_init", "__tsan_init", "__msan_init",
                                       "__lsan_do_leak_check"};
// Sanitizers check what they hand out against their own record of it, and say themselves what leaks.
bool is_sanitizer(const ModuleSymbols& symbols) {
  for (const char* const name : kSanitizers)
    if (symbols.find("", name).address != 0) return true;
  return false;
}

// Nobody can be in the stubs of a module that is gone.
void forget_unloaded() {
  for (Batch& batch : state->batches) {
    if (batch.stubs == 0 || state->modules.is_there(batch.module_begin)) continue;
    for (HookedFunction& function : state->hooked) {
      if (reinterpret_cast<uintptr_t>(function.original) - batch.stubs < batch.stub_bytes) function = {};
    }
    sys::unmap(reinterpret_cast<void*>(batch.stubs), batch.stub_bytes);
    batch = {};
  }
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
    const bool is_done = Hooking(*module, symbols, kReplacedMalloc, "", true).hook(own_malloc.address);
    if (is_done && symbols.exports("malloc")) note_first_malloc_hooked();
  }
  if (is_late && is_cxx_runtime(module->dlpi_name)) {
    const FoundFunction anchor = symbols.find("", kRuntimeOperators.anchor);
    if (anchor.address != 0) Hooking(*module, symbols, kRuntimeOperators, "", true).hook(anchor.address);
  }
  for (unsigned i = 0; i < kAllocatorCount; ++i) {
    const Allocator& allocator = kAllocators[i];
    if (!is_late && is_stood_in_for(allocator, symbols)) continue;
    for (const char* const* prefix = allocator.prefixes; *prefix != nullptr; ++prefix) {
      const FoundFunction anchor = symbols.find(*prefix, allocator.anchor);
      if (anchor.address == 0) continue;
      Hooking(*module, symbols, allocator, *prefix, serves_malloc && **prefix == '\0').hook(anchor.address);
    }
  }
  return 0;
}

int hook_loader(dl_phdr_info* module, size_t, void*) {
  const ModuleSymbols symbols(*module, nullptr);
  const auto report = static_cast<uintptr_t>(_r_debug.r_brk);
  if (symbols.code_of(report).end == 0) return 0;
  Hooking(*module, symbols, kLoader, "", false).hook(report);
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

int unhook_module(dl_phdr_info* module, size_t, void*) {
  const ModuleSymbols symbols(*module, nullptr);
  for (Batch& batch : state->batches) {
    if (batch.stubs == 0) continue;
    const CodeSegment code = symbols.code_of(batch.first_function);
    if (code.end != 0) restore_patches(batch.stubs, batch.count, code);
  }
  return 0;
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

Function number_of_function(const char* allocator, const char* function) {
  for (unsigned i = 0; i < kAllocatorCount; ++i) {
    const Allocator& one = kAllocators[i];
    for (unsigned j = 0; j < one.count && text_equals(one.name, allocator); ++j) {
      const AllocatorFunction& found = one.functions[j];
      if (!text_equals(found.name, function)) continue;
      return define_function(one.prefixes[0], found.name, one.name, one.domain, family_of(one, found, false));
    }
  }
  return Function::none;
}

LateHooking hook_allocators_late() {
  is_late = true;
  met_thread = false;
  first_malloc_refusal = {};
  const auto first_malloc = reinterpret_cast<uintptr_t>(real.malloc);
  find_replaced_operators();
  hook_all(first_malloc);
  if (met_thread) return LateHooking::thread_in_the_way;
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
  visit_modules.get()(unhook_module, nullptr);
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
  forget_unloaded();
}

}  // namespace memprof
