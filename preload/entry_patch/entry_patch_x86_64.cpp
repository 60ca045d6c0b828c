// Source of the encodings: Intel's manual, volume 2. Of the placement: jmp rel32 reaches 2 GiB either way.
#include "entry_patch/entry_patch.h"

#if defined(__x86_64__)

#include <string.h>
#include <sys/mman.h>

#include "platform/syscalls.h"
#include "unwind/instruction_x86_64.h"

namespace memprof {
namespace {

using x86_64::Flow;
using x86_64::Instruction;

constexpr size_t kJumpBytes = 5;
constexpr uint8_t kBreakpoint = 0xcc;  // int3
constexpr size_t kLongestInstruction = 15;
constexpr size_t kSlotBytes = 112;
constexpr size_t kStubBytes = 32;
constexpr size_t kFarJumpBytes = 14;
constexpr uintptr_t kPageBytes = 4096;
constexpr uintptr_t kFunctionAlignment = 16;
constexpr uintptr_t kReach = 0x7fff0000;

// The jump may end inside the last of the instructions that it replaces. A branch of 2 bytes becomes one of 6, a call
// 18 bytes that nothing follows.
constexpr size_t kMovedCallBytes = 18;
constexpr size_t kMostMovedBytes = 2 * 6 + kMovedCallBytes;
static_assert(kMovedCallBytes >= kLongestInstruction);

// At the end of a slot, for restore_patches.
struct PatchRecord {
  uintptr_t function;
  unsigned char original[kJumpBytes];
};
static_assert(kStubBytes + kMostMovedBytes + kFarJumpBytes + sizeof(PatchRecord) <= kSlotBytes);
PatchRecord& record_of(uintptr_t slot) {
  return *reinterpret_cast<PatchRecord*>(slot + kSlotBytes - sizeof(PatchRecord));
}

constinit const uintptr_t* stopped_at = nullptr;
constinit size_t stopped_count = 0;

// At its very beginning a thread has not begun yet.
bool is_thread_inside(uintptr_t function) {
  for (size_t i = 0; i < stopped_count; ++i) {
    if (stopped_at[i] > function && stopped_at[i] - function < kJumpBytes) return true;
  }
  return false;
}

class CodeWriter {
 public:
  explicit CodeWriter(uintptr_t at) : at_(reinterpret_cast<unsigned char*>(at)) {}
  uintptr_t at() const { return reinterpret_cast<uintptr_t>(at_); }

  template <typename T>
  void put(T value) {
    memcpy(at_, &value, sizeof(value));
    at_ += sizeof(value);
  }
  void copy(const uint8_t* from, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) {
      *at_++ = from[i];
      asm volatile("" ::: "memory");  // the compiler would make it memcpy, of which the program may have its own
    }
  }
  void jump_anywhere(uintptr_t target) {  // jmp *0(%rip), the address behind it
    put<uint16_t>(0x25ff);
    put<uint32_t>(0);
    put<uint64_t>(target);
  }
  void push_word(uint64_t word) {
    put<uint8_t>(0x68);  // push, of 32 bits that become 64
    put(static_cast<uint32_t>(word));
    put<uint32_t>(0x042444c7);  // movl to 4(%rsp)
    put(static_cast<uint32_t>(word >> 32));
  }
  // False: out of reach.
  bool put_distance(uintptr_t target) {
    const auto distance = static_cast<int64_t>(target - (at() + sizeof(int32_t)));
    if (distance != static_cast<int32_t>(distance)) return false;
    put(static_cast<int32_t>(distance));
    return true;
  }

 private:
  unsigned char* at_;
};

// A call that returns to where it would have: behind the jump, as it is as long as that. No frame lies in the copy.
PatchRefusal move_call(uintptr_t return_address, uintptr_t target, CodeWriter& out) {
  out.push_word(return_address);
  out.put<uint8_t>(0xe9);
  return out.put_distance(target) ? PatchRefusal::none : PatchRefusal::no_room_near;
}

// One instruction at `from`, so that it does the same at the writer's place.
PatchRefusal move_instruction(uintptr_t from, const Instruction& instruction, CodeWriter& out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(from);
  const uintptr_t target = from + instruction.length + static_cast<uintptr_t>(int64_t{instruction.target});
  switch (instruction.flow) {
    case Flow::call:
      return instruction.has_target ? move_call(from + instruction.length, target, out) : PatchRefusal::call_inside;
    case Flow::jump:
      out.put<uint8_t>(0xe9);
      return out.put_distance(target) ? PatchRefusal::none : PatchRefusal::no_room_near;
    case Flow::branch: {
      const bool is_short = instruction.length == 2 && bytes[0] >> 4 == 7;
      const bool is_near = instruction.length == 6 && bytes[0] == 0x0f && bytes[1] >> 4 == 8;
      if (!is_short && !is_near) return PatchRefusal::unknown_code;  // loop, jrcxz, prefixes
      const uint8_t opcode = is_short ? bytes[0] : bytes[1];
      out.put<uint8_t>(0x0f);
      out.put<uint8_t>(0x80 | (opcode & 15));
      return out.put_distance(target) ? PatchRefusal::none : PatchRefusal::no_room_near;
    }
    default: break;
  }
  if (instruction.displacement_at == 0) {
    out.copy(bytes, instruction.length);
    return PatchRefusal::none;
  }
  int32_t displacement = 0;
  memcpy(&displacement, bytes + instruction.displacement_at, sizeof(displacement));
  const auto moved = static_cast<int64_t>(displacement) + static_cast<int64_t>(from - out.at());
  if (moved != static_cast<int32_t>(moved)) return PatchRefusal::no_room_near;
  const auto new_displacement = static_cast<int32_t>(moved);
  const uintptr_t copy = out.at();
  out.copy(bytes, instruction.length);
  memcpy(reinterpret_cast<void*>(copy + instruction.displacement_at), &new_displacement, sizeof(new_displacement));
  return PatchRefusal::none;
}

bool ends_flow(Flow flow) { return flow != Flow::next && flow != Flow::branch; }

// Whether the function jumps into [function, function + moved), its very beginning included: a loop there would enter
// the hook again each time. Stops where the code is not understood.
bool is_jumped_into(uintptr_t function, size_t moved, uintptr_t end) {
  const auto* limit = reinterpret_cast<const uint8_t*>(end);
  for (uintptr_t at = function; at < end;) {
    const Instruction instruction = x86_64::decode({reinterpret_cast<const uint8_t*>(at), limit});
    if (instruction.length == 0) return false;
    at += instruction.length;
    if (!instruction.has_target || instruction.flow == Flow::call) continue;
    const uintptr_t target = at + static_cast<uintptr_t>(int64_t{instruction.target});
    if (target >= function && target < function + moved) return true;
  }
  return false;
}

bool is_filled(uintptr_t begin, uintptr_t end) {
  while (begin < end) {
    const Instruction instruction =
        x86_64::decode({reinterpret_cast<const uint8_t*>(begin), reinterpret_cast<const uint8_t*>(end)});
    if (instruction.length == 0 || !instruction.is_padding) return false;
    begin += instruction.length;
  }
  return true;
}

bool change_protection(uintptr_t function, int protection) {
  const uintptr_t begin = function & ~(kPageBytes - 1);
  const uintptr_t end = (function + kJumpBytes + kPageBytes - 1) & ~(kPageBytes - 1);
  return sys::call(SYS_mprotect, static_cast<long>(begin), static_cast<long>(end - begin), protection) == 0;
}

}  // namespace

size_t PatchBatch::stub_bytes() const { return (kMost * kSlotBytes + kPageBytes - 1) & ~(kPageBytes - 1); }

// Below the module, else above it, the first hole that is found; a kernel that knows no MAP_FIXED_NOREPLACE takes the
// place for a wish.
bool PatchBatch::map_stubs_near() {
  constexpr int kNoReplace = 0x100000;
  constexpr uintptr_t kStep = 0x10000, kLowest = 0x10000;
  const size_t bytes = stub_bytes();
  const auto try_at = [&](uintptr_t place) {
    void* const mapped = sys::map_at(reinterpret_cast<void*>(place), bytes, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | kNoReplace, -1, 0);
    if (mapped == nullptr) return false;
    if (reinterpret_cast<uintptr_t>(mapped) != place) {
      sys::unmap(mapped, bytes);
      return false;
    }
    stubs_ = place;
    return true;
  };
  constexpr uintptr_t kMostSteps = 4096;
  // A program that is linked to a low address has its heap above, and what lies below is the kernel's to give, or that
  // of programs that map there by plan. So far above, where the heap seldom gets and is continued elsewhere if it does.
  constexpr uintptr_t kLowProgram = 0x10000000, kFarAbove = 0x30000000;
  if (code_.end < kLowProgram) {
    for (uintptr_t step = 0; step < kMostSteps; ++step)
      if (try_at(kFarAbove + step * kStep)) return true;
  }
  const uintptr_t low = code_.begin & ~(kStep - 1), high = (code_.end + kStep - 1) & ~(kStep - 1);
  for (uintptr_t step = 1; step <= kMostSteps; ++step) {
    const uintptr_t distance = step * kStep;
    if (low >= kLowest + distance && code_.end - (low - distance) < kReach && try_at(low - distance)) return true;
  }
  for (uintptr_t step = 0; step < kMostSteps; ++step) {
    const uintptr_t place = high + step * kStep;
    if (place + bytes - code_.begin < kReach && try_at(place)) return true;
  }
  return false;
}

PatchBatch::~PatchBatch() {
  if (stubs_ != 0 && !is_committed_) sys::unmap(reinterpret_cast<void*>(stubs_), stub_bytes());
}

PatchRefusal PatchBatch::add(uintptr_t function, size_t bytes, EntryHook hook, const void* context, void** original) {
  if (count_ == kMost) return PatchRefusal::too_many;
  if (function < code_.begin || function >= code_.end) return PatchRefusal::other_segment;
  if (bytes == 0 || bytes > code_.end - function) return PatchRefusal::unknown_size;
  for (unsigned i = 0; i < count_; ++i) {
    const uintptr_t other = patches_[i].function;
    if (function - other < kJumpBytes || other - function < kJumpBytes) return PatchRefusal::too_short;
  }
  if (*reinterpret_cast<const uint8_t*>(function) == kBreakpoint) return PatchRefusal::breakpoint;
  if (stubs_ == 0 && !map_stubs_near()) return PatchRefusal::no_room_near;
  const auto* const limit = reinterpret_cast<const uint8_t*>(function + bytes);
  const uintptr_t slot = stubs_ + count_ * kSlotBytes;

  CodeWriter copy(slot + kStubBytes);
  uintptr_t at = function;
  bool has_ended = false;
  while (at < function + kJumpBytes && !has_ended) {
    const Instruction instruction = x86_64::decode({reinterpret_cast<const uint8_t*>(at), limit});
    if (instruction.length == 0) {
      return at == function + bytes ? PatchRefusal::too_short : PatchRefusal::unknown_code;
    }
    if (*reinterpret_cast<const uint8_t*>(at) == kBreakpoint) return PatchRefusal::breakpoint;
    const PatchRefusal refusal = move_instruction(at, instruction, copy);
    if (refusal != PatchRefusal::none) return refusal;
    at += instruction.length;
    has_ended = ends_flow(instruction.flow);
  }
  // A function that ends early may be followed by what fills the space up to the next one: to be sure, all up to where
  // functions are aligned to, and itself so.
  if (at < function + kJumpBytes &&
      (function % kFunctionAlignment != 0 || !is_filled(at, function + kFunctionAlignment))) {
    return PatchRefusal::too_short;
  }
  static_assert(kJumpBytes == 5, "a call of 5 bytes that begins in the jump ends behind it");
  if (is_jumped_into(function, at - function, function + bytes)) return PatchRefusal::jump_inside;
  if (!has_ended) copy.jump_anywhere(at);

  // No register changes: the context goes on the stack.
  CodeWriter stub(slot);
  stub.push_word(reinterpret_cast<uint64_t>(context));
  stub.jump_anywhere(reinterpret_cast<uintptr_t>(hook));

  PatchRecord& record = record_of(slot);
  record.function = function;
  memcpy(record.original, reinterpret_cast<const void*>(function), kJumpBytes);
  Patch& patch = patches_[count_];
  const auto distance = static_cast<int64_t>(slot - (function + kJumpBytes));
  if (distance != static_cast<int32_t>(distance)) return PatchRefusal::no_room_near;
  const auto near = static_cast<int32_t>(distance);
  patch.function = function;
  patch.jump[0] = 0xe9;
  memcpy(patch.jump + 1, &near, sizeof(near));
  *original = reinterpret_cast<void*>(slot + kStubBytes);
  ++count_;
  return PatchRefusal::none;
}

PatchRefusal PatchBatch::commit() {
  if (count_ == 0) return PatchRefusal::none;
  for (unsigned i = 0; i < count_; ++i)
    if (is_thread_inside(patches_[i].function)) return PatchRefusal::thread_inside;
  if (sys::call(SYS_mprotect, static_cast<long>(stubs_), static_cast<long>(stub_bytes()), PROT_READ | PROT_EXEC) != 0) {
    return PatchRefusal::not_writable;
  }
  unsigned opened = 0;
  while (opened < count_ && change_protection(patches_[opened].function, code_.protection | PROT_WRITE)) ++opened;
  is_committed_ = opened == count_;
  for (unsigned i = 0; i < count_ && is_committed_; ++i) {
    memcpy(reinterpret_cast<void*>(patches_[i].function), patches_[i].jump, kJumpBytes);
  }
  for (unsigned i = 0; i < opened; ++i) change_protection(patches_[i].function, code_.protection);
  return is_committed_ ? PatchRefusal::none : PatchRefusal::not_writable;
}

bool is_patched(uintptr_t function, uintptr_t stubs, size_t stub_bytes) {
  const auto* code = reinterpret_cast<const unsigned char*>(function);
  int32_t distance = 0;
  memcpy(&distance, code + 1, sizeof(distance));
  const uintptr_t target = function + kJumpBytes + static_cast<uintptr_t>(int64_t{distance});
  return (code[0] == 0xe9 || code[0] == kBreakpoint) && target - stubs < stub_bytes;
}

bool restore_patches(uintptr_t stubs, unsigned count, const CodeSegment& code) {
  bool all = true;
  for (unsigned i = 0; i < count; ++i) {
    const uintptr_t slot = stubs + i * kSlotBytes;
    const PatchRecord& record = record_of(slot);
    if (record.function < code.begin || record.function >= code.end) continue;
    if (!is_patched(record.function, slot, kSlotBytes)) continue;  // somebody else's by now
    if (change_protection(record.function, code.protection | PROT_WRITE)) {
      memcpy(reinterpret_cast<void*>(record.function), record.original, kJumpBytes);
      change_protection(record.function, code.protection);
    } else {
      all = false;
    }
  }
  return all;
}

void write_code(uintptr_t at, const unsigned char* bytes, size_t count) {
  if (!change_protection(at, PROT_READ | PROT_WRITE | PROT_EXEC)) return;
  for (size_t i = 0; i < count; ++i) reinterpret_cast<volatile unsigned char*>(at)[i] = bytes[i];
  change_protection(at, PROT_READ | PROT_EXEC);
}

void set_stopped_threads(const uintptr_t* program_counters, size_t count) {
  stopped_at = program_counters;
  stopped_count = count;
}

}  // namespace memprof

#endif
