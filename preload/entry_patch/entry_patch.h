// Hooks at the entry of functions that no symbol look-up leads to memprof: the first instructions of the function
// become a jump, and what they were goes on behind them from a copy.
//
//     function:    jmp stub               stub:      push context, jmp hook
//     function+n:  rest as it was         original:  the instructions moved, jmp function+n
//
// So every call is met: from the module itself, through pointers, from dlsym. A function whose beginning cannot be
// moved is refused, and stays as it was: too short, instructions that the decoder does not know, a call through a
// pointer among them (its return address would lie in the copy), a jump from the rest of the function into them.
//
// Invariants:
//   * A batch is planned, then committed as a whole or not at all: no byte of the host's code changes before each
//     function of the batch has its copy and each page of code has proved to be writable.
//   * No thread may be in the beginning of a function that is patched. That is the caller's to see to: it patches
//     before the first thread starts, in a library that the loader has not handed out yet, or while all other threads
//     are stopped, and says where (set_stopped_threads).
//   * restore_patches() may be called whenever all other threads are stopped, wherever that is: a patched beginning is
//     one instruction, so a thread is before it or elsewhere. The stubs stay mapped, with the copies that threads may
//     be in, or that hooks which have begun go on to call.
//   * The stack is the function's own while its copy runs, so what it throws passes as it did.
// Thread-safe never: one batch at a time. No allocation, no call but to the kernel.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace memprof {

enum class PatchRefusal : uint8_t {
  none,
  machine,       // memprof cannot do it on this processor
  too_short,     // the function is shorter than the jump
  unknown_code,  // an instruction that the decoder does not know
  call_inside,   // through a pointer
  jump_inside,
  no_room_near,  // no address space within the jump's reach
  not_writable,  // the kernel does not let the code be changed
  too_many,
  other_segment,
  unknown_size,
  breakpoint,     // a debugger's
  thread_inside,  // one that set_stopped_threads() named
};
// To follow "because ".
const char* text_of(PatchRefusal refusal);

// Called as the function was, with the context on top of the stack (entry_patch/hook_call_x86_64.cpp).
using EntryHook = void (*)();

// Where the other threads of the process are stopped, kept until it is called again. Not copied.
void set_stopped_threads(const uintptr_t* program_counters, size_t count);

struct CodeSegment {
  uintptr_t begin;
  uintptr_t end;
  int protection;  // PROT_*
};

class PatchBatch {
 public:
  static constexpr unsigned kMost = 160;

  explicit PatchBatch(const CodeSegment& code) : code_(code) {}
  PatchBatch(const PatchBatch&) = delete;
  PatchBatch& operator=(const PatchBatch&) = delete;
  ~PatchBatch();  // takes back what was not committed

  // Plans one function, `bytes` long. Sets `*original` to what is to be called in its place.
  PatchRefusal add(uintptr_t function, size_t bytes, EntryHook hook, const void* context, void** original);
  PatchRefusal commit();

  uintptr_t stubs() const { return stubs_; }  // where the batch's stubs and copies lie
  size_t stub_bytes() const;
  unsigned count() const { return count_; }

 private:
  struct Patch {
    uintptr_t function;
    unsigned char jump[5];
  };

  bool map_stubs_near();

  const CodeSegment code_;
  uintptr_t stubs_ = 0;
  unsigned count_ = 0;
  bool is_committed_ = false;
  Patch patches_[kMost];
};

// Whether the function begins with a jump into [stubs, stubs + stub_bytes), maybe below a debugger's breakpoint.
bool is_patched(uintptr_t function, uintptr_t stubs, size_t stub_bytes);

// Bytes of code of one page and the next, all readable and executable.
void write_code(uintptr_t at, const unsigned char* bytes, size_t count);

// Gives the `count` functions of a committed batch in this code their own beginnings back. False: the system does not
// let it be changed.
bool restore_patches(uintptr_t stubs, unsigned count, const CodeSegment& code);

}  // namespace memprof
