// Fibers whose stacks lie next to each other without a guard page, and whose entry "returns" to a function with a large
// frame: its CFI leads past the end of the stack into the next one, which is there, or is there no more, or is there
// again.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tally.h"

enum { kFibers = 8, kRounds = 2000, kPage = 4096, kStackBytes = 16 * kPage };

static ucontext_t scheduler;
static struct Fiber {
  ucontext_t context;
  int depth;
  int mapped, finished;
} fibers[kFibers];
static struct Fiber* running;
// Far from where the kernel puts mappings by itself: nobody else gets a place that a fiber has left.
static char* const arena = (char*)0x2000000000;
static uint64_t random_state = 5;

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

__attribute__((noinline)) static void descend(int depth) {
  touch(20 + (size_t)depth);
  if (depth > 0) descend(depth - 1);
  if (depth % 3 == 0) swapcontext(&running->context, &scheduler);
  touch(60 + (size_t)depth);
}

static void run_fiber(void) {
  descend(running->depth);
  running->finished = 1;
  swapcontext(&running->context, &scheduler);
  abort();
}

// Its frame is far larger than what is left of the stack above the fiber's entry.
__attribute__((noinline)) void never_returned_to(void) {
  volatile char room[8 * kPage];
  room[0] = 1;
  touch(1);
  (void)room[0];
}

static int start(struct Fiber* fiber) {
  char* stack = arena + (size_t)(fiber - fibers) * kStackBytes;
  if (mmap(stack, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) !=
      stack)
    return 0;
  fiber->mapped = 1;
  fiber->finished = 0;
  fiber->depth = (int)(next_random(&random_state) % 20);
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = stack;
  fiber->context.uc_stack.ss_size = kStackBytes;
  fiber->context.uc_link = &scheduler;
  makecontext(&fiber->context, run_fiber, 0);
#if defined(__x86_64__)
  // Any address in the middle of a function will do for the wrong caller.
  *(uintptr_t*)fiber->context.uc_mcontext.gregs[REG_RSP] = (uintptr_t)never_returned_to + 12;
#endif
  return 1;
}

int main(void) {
  int finished = 0;
  for (int i = 0; i < kRounds; ++i) {
    running = &fibers[next_random(&random_state) % kFibers];
    if (!running->mapped && !start(running)) return 1;
    swapcontext(&scheduler, &running->context);
    touch(10);
    if (!running->finished) continue;
    ++finished;
    running->mapped = 0;
    munmap(running->context.uc_stack.ss_sp, kStackBytes);
  }
  print("finished %d\n", finished);
  expect_tally();
  return 0;
}
