#include "allocators/hooking.h"

#include "allocators/defined_functions.h"
#include "allocators/families.h"
#include "entry_patch/entry_patch.h"
#include "interpose/cxx_runtime.h"
#include "lifecycle/settings.h"
#include "platform/diagnostics.h"
#include "platform/syscalls.h"
#include "platform/text.h"
#include "real_allocator/real_allocator.h"

extern "C" void memprof_hook_call() __attribute__((visibility("hidden")));

namespace memprof {

using format::Domain;
using format::Family;
using format::Function;

namespace {

constexpr AllocatorFunction kReportModules[] = {{.name = "_dl_debug_state", .does = Does::report_modules}};
constexpr const char* kNoPrefix[] = {"", nullptr};
void say_refused(const dl_phdr_info& module, const Allocator& allocator, const char* prefix, const char* function,
                 PatchRefusal refusal) {
  Text<1024> line;
  line.add("blocks of ").add(allocator.name).add(" in ");
  line.add(module.dlpi_name != nullptr && *module.dlpi_name != '\0' ? module.dlpi_name : "the program");
  line.add(" are not recorded: ").add(prefix).add(function).add(" cannot be hooked, because ").add(text_of(refusal));
  say(line.c_str());
}

}  // namespace

constinit const Allocator kLoader = {"loader", "_dl_debug_state", kNoPrefix, Domain::external, kReportModules, 1};

bool is_libc(const ModuleSymbols& symbols) { return symbols.exports("gnu_get_libc_version"); }

// One allocator of one module, under one prefix.
class Hooking {
 public:
  Hooking(Hooks& hooks, const Hooks::Target& target)
      : hooks_(hooks),
        module_(target.module),
        symbols_(target.symbols),
        allocator_(target.allocator),
        prefix_(target.prefix),
        serves_malloc_(target.serves_malloc) {}

  bool hook(uintptr_t anchor) {
    Hooks::Batch* const batch = hooks_.free_batch();
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
    hooks_.met_thread_ |= refusal == PatchRefusal::thread_inside;
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
    if (hooks_.is_patched_before(address)) return true;
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
      HookedFunction* const added = hooks_.free_hooked();
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

  Hooks& hooks_;
  const dl_phdr_info& module_;
  const ModuleSymbols& symbols_;
  const Allocator& allocator_;
  const char* const prefix_;
  const bool serves_malloc_;
  unsigned count_ = 0;
  HookedFunction* added_[PatchBatch::kMost];
  uintptr_t entries_[PatchBatch::kMost];
};

bool Hooks::hook(const Target& target, uintptr_t anchor) { return Hooking(*this, target).hook(anchor); }

HookedFunction* Hooks::free_hooked() {
  for (HookedFunction& function : hooked_)
    if (function.module_end == 0) return &function;
  return nullptr;
}

Hooks::Batch* Hooks::free_batch() {
  for (Batch& batch : batches_)
    if (batch.stubs == 0) return &batch;
  return nullptr;
}

bool Hooks::is_patched_before(uintptr_t address) const {
  for (const Batch& batch : batches_)
    if (batch.stubs != 0 && is_patched(address, batch.stubs, batch.stub_bytes)) return true;
  return false;
}

void Hooks::forget(Batch& batch) {
  for (HookedFunction& function : hooked_) {
    if (reinterpret_cast<uintptr_t>(function.original) - batch.stubs < batch.stub_bytes) function = {};
  }
  sys::unmap(reinterpret_cast<void*>(batch.stubs), batch.stub_bytes);
  batch = {};
}

void Hooks::restore(const ModuleSymbols& symbols) const {
  for (const Batch& batch : batches_) {
    if (batch.stubs == 0) continue;
    const CodeSegment code = symbols.code_of(batch.first_function);
    if (code.end != 0) restore_patches(batch.stubs, batch.count, code);
  }
}

}  // namespace memprof
