// longjmp and siglongjmp over many frames, and contexts with stacks of their own: every block afterwards is recorded
// with the right caller.
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tally.h"

static jmp_buf back;
static ucontext_t main_context, fiber_context[2];
static void* blocks[4096];
static int count;

static __attribute__((noinline)) void dive(int depth) {
  if (depth == 0) longjmp(back, 1);
  blocks[count++] = tally_add(malloc(30), 30);
  dive(depth - 1);
  __asm__ volatile("");
}

static __attribute__((noinline)) void in_fiber(int number) {
  for (int i = 0; i < 100; ++i) {
    blocks[count++] = tally_add(malloc(60 + (size_t)number), 60 + (size_t)number);
    swapcontext(&fiber_context[number], number == 0 ? &fiber_context[1] : &main_context);
  }
}

int main(void) {
  for (volatile int i = 0; i < 20; ++i) {
    if (setjmp(back) == 0) dive(50);
  }
  char* stacks[2];
  for (int i = 0; i < 2; ++i) {
    stacks[i] = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    getcontext(&fiber_context[i]);
    fiber_context[i].uc_stack.ss_sp = stacks[i];
    fiber_context[i].uc_stack.ss_size = 65536;
    fiber_context[i].uc_link = &main_context;
    makecontext(&fiber_context[i], (void (*)(void))in_fiber, 1, i);
  }
  for (int i = 0; i < 100; ++i) swapcontext(&main_context, &fiber_context[0]);
  // The stacks are gone: whoever still reads them for a remembered stack crashes.
  for (int i = 0; i < 2; ++i) munmap(stacks[i], 65536);
  blocks[count++] = tally_add(malloc(90), 90);
  print("blocks %d\n", count);
  expect("called_from.dive", 20 * 50);
  expect("called_from.in_fiber", 200);
  expect_tally();
  return 0;
}
