#include "entry_patch/entry_patch.h"

namespace memprof {

const char* text_of(PatchRefusal refusal) {
  switch (refusal) {
    case PatchRefusal::none: return "";
    case PatchRefusal::machine: return "memprof cannot do so on this processor";
    case PatchRefusal::too_short: return "it is too short";
    case PatchRefusal::unknown_code: return "its first instructions are not understood";
    case PatchRefusal::call_inside: return "it begins with a call through a pointer";
    case PatchRefusal::jump_inside: return "it jumps back to its beginning";
    case PatchRefusal::no_room_near: return "there is no address space near it";
    case PatchRefusal::not_writable: return "the system lets no code be changed";
    case PatchRefusal::breakpoint: return "it begins with a debugger's breakpoint";
    case PatchRefusal::thread_inside: return "a thread is about to enter it";
    case PatchRefusal::too_many: return "memprof has no room for more";
    case PatchRefusal::other_segment: return "it lies in another segment than the allocator's other functions";
    case PatchRefusal::unknown_size: return "its size is not known";
  }
  return "";
}

#if !defined(__x86_64__)

PatchBatch::~PatchBatch() = default;
size_t PatchBatch::stub_bytes() const { return 0; }
bool PatchBatch::map_stubs_near() { return false; }
PatchRefusal PatchBatch::add(uintptr_t, size_t, EntryHook, const void*, void**) { return PatchRefusal::machine; }
PatchRefusal PatchBatch::commit() { return PatchRefusal::machine; }
bool is_patched(uintptr_t, uintptr_t, size_t) { return false; }
bool restore_patches(uintptr_t, unsigned, const CodeSegment&) { return true; }
void write_code(uintptr_t, const unsigned char*, size_t) {}
void set_stopped_threads(const uintptr_t*, size_t) {}

#endif

}  // namespace memprof
