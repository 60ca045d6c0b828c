// Which loaded object covers an address, and its record in the trace.
//
// Objects are met lazily, when a stack first leads into them: glibc's _dl_find_object answers without the loader
// lock, so nothing here can wait for a dlopen in progress, and dlopen needs no hook (one would change whose RUNPATH is
// searched). A module id names one load of one file; when dlclose has taken it away, the id is retired.
#pragma once

#include <stdint.h>

namespace memprof {

struct ModuleAddress {
  uint32_t module_id;  // format::kNoModule: no object covers it
  uint64_t address;    // ELF virtual address in the module, or the process address
};

// Writes the module's load record if this is the first address met in it. Any thread, async-signal-safe.
ModuleAddress locate(uintptr_t address);

// Whether a loaded object covers the address. Any thread, async-signal-safe.
bool is_in_object(uintptr_t address);

// Finds the modules that are no longer loaded, writes their unload records and calls `retire(start, end)` for each.
void find_unloaded_modules(void (*retire)(uintptr_t start, uintptr_t end));

// In a forked child: forgets all, as its trace must name them anew.
void reset_modules();

}  // namespace memprof
