// switches_fibers ROUNDS: sixteen fibers on stacks of one size take turns; each allocates once, at a depth of its
// own each time, and yields. The switch is assembly, and no system call is made.
#include <stdlib.h>
#include <sys/mman.h>

#include "tally.h"

enum { kFibers = 16, kStackBytes = 256 * 1024 };

static void* scheduler;
static struct Fiber { void* sp; } fibers[kFibers];
static struct Fiber* running;
static uint64_t random_state = 31;

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
enum { kFirstWords = 9, kEntryWord = 6 };
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
enum { kFirstWords = 24, kEntryWord = 1 };
#endif

__attribute__((noinline)) static void descend(int depth) {
  if (depth > 0) {
    descend(depth - 1);
    return;
  }
  free(hidden(tally_add(malloc(40), 40)));
  tally_sub(40);
}

void run_fiber(void) {
  for (;;) {
    descend((int)(next_random(&random_state) % 60));
    switch_stack(&running->sp, scheduler);
  }
}

static int start(struct Fiber* fiber) {
  char* stack = mmap(NULL, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED) return 0;
  // As switch_stack would have left it, with room above that aligns the stack.
  uintptr_t* words = (uintptr_t*)(stack + kStackBytes) - kFirstWords;
  words[kEntryWord] = (uintptr_t)enter_fiber;
  fiber->sp = words;
  return 1;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const long rounds = atol(arguments[1]);
  for (int i = 0; i < kFibers; ++i) {
    if (!start(&fibers[i])) return 1;
  }
  for (long i = 0; i < rounds; ++i) {
    running = &fibers[i % kFibers];
    switch_stack(&scheduler, running->sp);
  }
  expect_tally();
  return 0;
}
