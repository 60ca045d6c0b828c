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

namespace memprof {

// From a constructor, with one thread.
void hook_allocators();

// By the loader's thread, with the loader's lock held: nothing of the host is called.
void hook_new_modules();

}  // namespace memprof
