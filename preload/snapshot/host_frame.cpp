#include "snapshot/host_frame.h"

#include "platform/syscalls.h"
#include "unwind/register_step.h"

extern "C" int __cxa_atexit(void (*function)(void*), void* argument, void* object);

namespace memprof {

namespace {

constexpr int kMostFrames = 64;

// Of the function that this is inlined into, and an address behind a place in it.
[[gnu::always_inline]] inline uintptr_t keep_own_registers(Registers& out) {
  uintptr_t pc;
  out.known = arch::kCalleeSaved | uint64_t{1} << arch::kStackPointer;
#if defined(__x86_64__)
  asm volatile(
      "mov %%rbx, 24(%1)\n mov %%rbp, 48(%1)\n mov %%rsp, 56(%1)\n mov %%r12, 96(%1)\n mov %%r13, 104(%1)\n"
      "mov %%r14, 112(%1)\n mov %%r15, 120(%1)\n lea 0f(%%rip), %0\n 0:\n"
      : "=&r"(pc)
      : "r"(out.value)
      : "memory");
#elif defined(__aarch64__)
  asm volatile(
      "stp x19, x20, [%1, 152]\n stp x21, x22, [%1, 168]\n stp x23, x24, [%1, 184]\n stp x25, x26, [%1, 200]\n"
      "stp x27, x28, [%1, 216]\n str x29, [%1, 232]\n mov %0, sp\n str %0, [%1, 248]\n adr %0, 0f\n 0:\n"
      : "=&r"(pc)
      : "r"(out.value)
      : "memory");
#endif
  return pc;
}

bool is_library(uintptr_t pc) {
  return is_same_module(pc, reinterpret_cast<uintptr_t>(&keep_host_frame)) ||
         is_same_module(pc, reinterpret_cast<uintptr_t>(&__cxa_atexit));
}

struct Work {
  CfiScratch scratch;
  ReadablePages pages;
};

}  // namespace

__attribute__((noinline)) void keep_host_frame(format::SnapshotThread* thread) {
  Registers frame;
  uintptr_t pc = keep_own_registers(frame);
  // Too large for a stack of the host's.
  auto* const work = static_cast<Work*>(sys::map_anonymous(sizeof(Work)));
  if (work != nullptr) {
    work->pages.begin_walk(frame.value[arch::kStackPointer]);
    for (int frames = 0; frames < kMostFrames && is_library(pc); ++frames) {
      Registers outer = frame;
      uintptr_t outer_pc = pc;
      bool interrupted = false;
      if (step_registers(outer, outer_pc, interrupted, work->scratch, work->pages) != RegisterStep::stepped ||
          interrupted)
        break;
      frame = outer;
      pc = outer_pc;
    }
    sys::unmap_anonymous(work, sizeof(Work));
  }
  thread->stack_pointer = frame.value[arch::kStackPointer];
  size_t kept = 0;
  for (unsigned column = 0; column < arch::kColumns; ++column)
    if ((arch::kCalleeSaved >> column & 1) != 0 && frame.knows(column)) thread->registers[kept++] = frame.value[column];
}

}  // namespace memprof
