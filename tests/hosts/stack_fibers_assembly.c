// Fibers switched by hand, as boost.context does it, with correct CFI. Three ways to end a fiber's stack: return
// address 0, an entry whose CFI says that it has no caller, and the address of a function to "return" to, whose CFI
// then leads past the top of the stack, where nothing is mapped.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "tally.h"

enum { kFibers = 6, kRounds = 60, kPage = 4096, kStackBytes = 16 * kPage };

static void* scheduler;
struct Fiber {
  void* sp;
  char* stack;
  int depth;
  int finished;
};
static struct Fiber fibers[kFibers];
static struct Fiber* running;
static uint64_t random_state = 5;

void switch_stack(void** save, void* to);
void enter_fiber(void);

#if defined(__x86_64__)
#define PUSH(name) "push %" #name "\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset " #name ",0\n"
#define POP(name) "pop %" #name "\n.cfi_adjust_cfa_offset -8\n.cfi_restore " #name "\n"
__asm__(
    ".text\n.globl switch_stack\n.type switch_stack,@function\n"
    "switch_stack:\n.cfi_startproc\n"
    PUSH(rbp) PUSH(rbx) PUSH(r12) PUSH(r13) PUSH(r14) PUSH(r15)
    "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
    POP(r15) POP(r14) POP(r13) POP(r12) POP(rbx) POP(rbp)
    "ret\n.cfi_endproc\n.size switch_stack,.-switch_stack\n"
    ".globl enter_fiber\n.type enter_fiber,@function\n"
    "enter_fiber:\n.cfi_startproc\n.cfi_undefined rip\n"
    "call run_fiber\nud2\n.cfi_endproc\n.size enter_fiber,.-enter_fiber\n");
enum { kSavedWords = 6 };
#else
#define MOVE_REST(op)                                                                                    \
  op " x19,x20,[sp,#16]\n" op " x21,x22,[sp,#32]\n" op " x23,x24,[sp,#48]\n" op " x25,x26,[sp,#64]\n" op \
     " x27,x28,[sp,#80]\n" op " d8,d9,[sp,#96]\n" op " d10,d11,[sp,#112]\n" op " d12,d13,[sp,#128]\n" op \
     " d14,d15,[sp,#144]\n"
__asm__(
    ".text\n.globl switch_stack\n.type switch_stack,%function\n"
    "switch_stack:\n.cfi_startproc\n"
    "stp x29,x30,[sp,#-160]!\n.cfi_def_cfa_offset 160\n.cfi_offset 29,-160\n.cfi_offset 30,-152\n"
    MOVE_REST("stp") "mov x9,sp\nstr x9,[x0]\nmov sp,x1\n" MOVE_REST("ldp")
    "ldp x29,x30,[sp],#160\n.cfi_def_cfa_offset 0\n.cfi_restore 29\n.cfi_restore 30\n"
    "ret\n.cfi_endproc\n.size switch_stack,.-switch_stack\n"
    ".globl enter_fiber\n.type enter_fiber,%function\n"
    "enter_fiber:\n.cfi_startproc\n.cfi_undefined x30\n"
    "bl run_fiber\nbrk #1\n.cfi_endproc\n.size enter_fiber,.-enter_fiber\n");
#endif

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

__attribute__((noinline)) static void descend(int depth) {
  touch(20 + (size_t)depth);
  if (depth > 0) descend(depth - 1);
  if (depth % 3 == 0) switch_stack(&running->sp, scheduler);
  touch(60 + (size_t)depth);
}

void run_fiber(void) {
  descend(running->depth);
  running->finished = 1;
  switch_stack(&running->sp, scheduler);
  abort();
}

// Its frame is far larger than what is left of the stack above the fiber's entry.
__attribute__((noinline)) void never_returned_to(void) {
  volatile char room[8 * kPage];
  room[0] = 1;
  touch(1);
  (void)room[0];
}
__attribute__((noinline)) static void never_returned_to_either(void) { touch(2); }

static void start(struct Fiber* fiber, int kind) {
  fiber->stack = mmap(NULL, kStackBytes + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(fiber->stack + kStackBytes, kPage, PROT_NONE);
  fiber->finished = 0;
  fiber->depth = (int)(next_random(&random_state) % 20);
#if defined(__x86_64__)
  uintptr_t* top = (uintptr_t*)(fiber->stack + kStackBytes);
  // A function is entered with its return address at 8 modulo 16.
  if (kind == 0) {
    *--top = 0;
    *--top = (uintptr_t)run_fiber;
  } else if (kind == 1) {
    *--top = 0;
    *--top = 0;
    *--top = (uintptr_t)enter_fiber;
  } else {
    // Any address in the middle of a function will do for the wrong caller.
    *--top = kind == 2 ? (uintptr_t)never_returned_to + 12 : (uintptr_t)never_returned_to_either;
    *--top = (uintptr_t)run_fiber;
  }
  for (int i = 0; i < kSavedWords; ++i) *--top = 0;
#else
  (void)kind;
  uintptr_t* top = (uintptr_t*)(fiber->stack + kStackBytes - 160);
  top[1] = (uintptr_t)enter_fiber;
#endif
  fiber->sp = top;
}

int main(void) {
  int finished = 0;
  for (int i = 0; i < kFibers; ++i) start(&fibers[i], i % 4);
  while (finished < kRounds) {
    running = &fibers[next_random(&random_state) % kFibers];
    switch_stack(&scheduler, running->sp);
    touch(10);
    if (!running->finished) continue;
    munmap(running->stack, kStackBytes + kPage);
    start(running, ++finished % 4);
  }
  print("finished %d\n", finished);
  expect_tally();
  return 0;
}
