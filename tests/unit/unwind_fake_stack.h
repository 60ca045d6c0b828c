// A stack made of an array of words, with rules planted for addresses of code that do not exist: the whole walk without
// a compiler's frames in it.
#pragma once

#include <sys/mman.h>

#include <memory>
#include <vector>

#include "unwind/unwinder.h"

namespace unwind_test {

using memprof::CapturePoint;
using memprof::Rule;
using memprof::StackEnd;
using memprof::UnwindState;

struct Unmap {
  void operator()(UnwindState* state) const { munmap(state, sizeof(UnwindState)); }
};
using State = std::unique_ptr<UnwindState, Unmap>;

// As the recorder makes it: all zero.
inline State new_state() {
  void* memory = mmap(nullptr, sizeof(UnwindState), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return State(static_cast<UnwindState*>(memory));
}

// No module is mapped so low.
constexpr uintptr_t kCode = 0x10000;

// Function f: frame of 2 + f % 5 words; odd ones save the frame pointer below the return address and change it. Where
// the two are saved together or not at all, all functions do. Every fourth one finds its CFA by the frame pointer, and
// has Call::number words more. kStart is where the outermost frame may return to: the CFI there says that it has no
// caller.
constexpr unsigned kFunctions = 16;
constexpr uintptr_t words_of(unsigned f) { return 2 + f % 5; }
constexpr bool saves(unsigned f) { return f % 2 != 0 || !memprof::arch::kFramePointerMayStay; }
constexpr bool uses_frame_pointer(unsigned f) { return f % 4 == 3; }
constexpr uintptr_t kStart = kCode - 0x100;
constexpr uintptr_t pc_of(unsigned f, unsigned call = 0) { return kCode + f * 0x100 + call * 0x10; }
inline void plant_rules(UnwindState& state) {
  capture(state, {8, 0, 0}, 1);  // so that it has seen what other tests did to modules, and forgets nothing later
  for (unsigned f = 0; f < kFunctions; ++f) {
    for (unsigned call = 0; call < 4; ++call) {
      const uint32_t k = saves(f) ? 2 : Rule::kKeepsFramePointer;
      const auto words = static_cast<uint32_t>(words_of(f));
      state.rules.insert(pc_of(f, call),
                         uses_frame_pointer(f) ? Rule::plain(true, 2, 2) : Rule::plain(false, words, k));
    }
  }
  state.rules.insert(kStart, Rule::special(memprof::RuleKind::outermost));
}

struct Call {
  unsigned function;
  unsigned call = 0;     // which call site of it goes on
  uintptr_t number = 0;  // what it puts into the frame pointer, if it saves it and does not use it
};

class FakeStack {
 public:
  explicit FakeStack(size_t words = 4096) : words_(words, 0x5555555555555555) {}

  // calls: outermost first. The outermost returns to `start`.
  CapturePoint build(const std::vector<Call>& calls, uintptr_t start = 0) {
    size_t at = words_.size() - 8;
    uintptr_t pc = start, bp = 0;
    for (const Call& call : calls) {
      words_[--at] = pc;
      if (saves(call.function)) {
        words_[at - 1] = bp;
        bp = uses_frame_pointer(call.function) ? reinterpret_cast<uintptr_t>(&words_[at - 1]) : call.number;
      }
      at -= words_of(call.function) - 1 + (uses_frame_pointer(call.function) ? call.number : 0);
      pc = pc_of(call.function, call.call);
    }
    return {pc, reinterpret_cast<uintptr_t>(&words_[at]), bp};
  }
  std::vector<uintptr_t>& words() { return words_; }
  size_t index_of(uintptr_t address) const { return (address - reinterpret_cast<uintptr_t>(words_.data())) / 8; }

 private:
  std::vector<uintptr_t> words_;
};

inline std::vector<uintptr_t> addresses(const UnwindState& state) {
  std::vector<uintptr_t> out;
  for (uint32_t i = 0; i < state.memo.depth; ++i) out.push_back(state.memo.address(i));
  return out;
}
inline std::vector<uintptr_t> addresses(const std::vector<Call>& calls) {
  std::vector<uintptr_t> out;
  for (const Call& call : calls) out.push_back(pc_of(call.function, call.call));
  return out;
}

}  // namespace unwind_test
