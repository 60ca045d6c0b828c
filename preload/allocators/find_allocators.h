// Finds the allocators that the process has besides the malloc that memprof stands in front of, and hooks them: in the
// program and in its libraries when the process begins, in a library that is loaded later when the loader has mapped
// it.
//
// Why by patching functions: an entry of libmemprof's own under such a name would make the program believe that it has
// the allocator; and what a program links statically, looks up with dlsym or calls inside a library never asks the
// loader for it. Before the first thread, or in code that nobody has a pointer to yet, nobody can be in the way.
//
// Invariants: an allocator of a module is hooked whole or not at all, as a block that is seen to come and not to go
// would be a leak; the first function that cannot be hooked is named in one line. A module is looked at once, when it
// comes; the stubs of one that is gone go too.
#pragma once

#include <link.h>
#include <stddef.h>

namespace memprof {

// From a constructor, with one thread.
void hook_allocators();

// In a program that runs already, whose calls of malloc and of the operators the loader has bound: those are hooked in
// the same way. With all other threads stopped, none of them in the loader, and where they are told to entry_patch.
enum class LateHooking { done, thread_in_the_way, no_malloc };
LateHooking hook_allocators_late();  // no_malloc: said why
// The functions are as they were; threads in the middle of a hook go on in the copies.
void unhook_allocators();

// From a constructor: whoever attaches may not look up symbols.
void find_module_visitor();
void visit_loaded_modules(int (*visit)(dl_phdr_info*, size_t, void*), void* argument);

// By the loader's thread, with the loader's lock held: nothing of the host is called.
void hook_new_modules();

}  // namespace memprof
