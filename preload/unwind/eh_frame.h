// From an address of code to its frame description (FDE) in .eh_frame.
//
// The module is found by _dl_find_object (glibc 2.35): lock-free, async-signal-safe, no dl_iterate_phdr, so it can be
// called below a host thread that holds the loader's lock. The FDE is found by binary search in .eh_frame_hdr. Every
// table read is kept inside the module's mapping.
//
// Not found: code registered with __register_frame or _U_dyn_register (JITs), which only their own unwinder knows; and
// modules linked without an .eh_frame_hdr table.
#pragma once

#include <stdint.h>

#include "unwind/byte_reader.h"

namespace memprof {

// What a module says about the frames of its code.
struct ModuleFrames {
  ByteRange mapping;      // where its tables lie; the code may lie in another segment
  const uint8_t* header;  // .eh_frame_hdr
};
// False: the address is in no loaded module. header may be null.
bool find_module_frames(uintptr_t code, ModuleFrames& out);

// A decoded FDE with its CIE.
struct FrameDescription {
  uintptr_t code_begin;
  uintptr_t code_end;
  uint64_t code_align;
  int64_t data_align;
  unsigned return_column;
  uint8_t pointer_encoding;
  bool is_signal_frame;  // the frame outside this one was interrupted, not calling
  ByteRange cie_instructions;
  ByteRange fde_instructions;
};

enum class Found : uint8_t {
  yes,
  not_understood,  // there is a description, but its instructions make no sense; find_row alone says so
  no_description,
  no_module,
};
Found find_description(uintptr_t code, FrameDescription& out);

// Whether the loaded object that covers `code` is the one that covers `other`.
bool is_same_module(uintptr_t code, uintptr_t other);

// The FDE of one module, and the decoding of the FDE at one place; for find_description and the tests.
const uint8_t* search_header(const ModuleFrames& module, uintptr_t code);
bool decode_description(const ModuleFrames& module, const uint8_t* fde, FrameDescription& out);

}  // namespace memprof
