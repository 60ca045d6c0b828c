// Allocators with an API of their own: which functions they have, and what each does with which of its arguments.
//
// Only integer and pointer arguments count, from 0. A block is what the function returns unless it is stored through an
// argument; those that store it return 0 when they did.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memprof/trace_format.h"

namespace memprof {

// The arguments of one call: six in registers, the others behind the caller's frame.
struct Arguments {
  const uint64_t* registers;
  const uint64_t* stack;
  uint64_t operator[](int at) const { return registers[at]; }
};

enum class Does : uint8_t {
  allocate,
  reallocate,  // of size 0: an end, if nothing is returned
  resize,      // in place or not at all: returns the block, or how many bytes it has now
  release,
  keep_handle,      // a handle of memory that there is already, of which one release more is no end
  release_handle,   // returns 0 when it did
  release_chain,    // of blocks that are linked by a word inside each
  copy_text,        // allocates what a string needs
  destroy_heap,     // ends all blocks of a heap, which `helper` visits
  stand_for_calls,  // nothing of the program's: what it takes and gives back is the allocator's
  allocate_from_pool,
  print_into_pool,
  clear_pool,
  destroy_pool,
  begin_obstack,  // `block`: the obstack
  grow_obstack,
  free_obstack,    // down to an object, the second argument
  report_modules,  // the loader's: modules came or went
};

struct AllocatorFunction {
  const char* name;
  Does does;
  int8_t block = -1;            // argument: the block that it is about; the pool or heap of those that have one
  int8_t size = -1;             // argument; of release_chain: where in a block the next one is named
  int8_t count = -1;            // argument that the size is multiplied by
  int8_t stores = -1;           // argument that points to where the block is stored
  bool returns_status = false;  // of those that release: 0 when they did
  bool releases_on_failure = false;
  bool has_stack_arguments = false;
  size_t (*size_of)(const Arguments&) = nullptr;  // where it is no product of arguments; asked when the call succeeded
  const char* helper = nullptr;
};

struct Allocator {
  const char* name;             // in MEMPROF_FILTER
  const char* anchor;           // a module that lacks this function is none of the allocator's
  const char* const* prefixes;  // of the names, nullptr past the last
  format::Domain domain;
  const AllocatorFunction* functions;
  unsigned count;
};

extern const Allocator kAllocators[];
extern const unsigned kAllocatorCount;

// malloc and its like of a program, or of a library before memprof, that brings its own.
extern const Allocator kReplacedMalloc;

// The operators new and delete of a C++ runtime, where memprof was not there when the program began.
extern const Allocator kRuntimeOperators;

// Whether MEMPROF_FILTER may name it: an allocator, or one of the functions.
bool is_allocator_name(const char* name, size_t bytes);

}  // namespace memprof
