// Fibers switched by hand, as boost.context does it, with correct CFI. Three ways to end a fiber's stack: return
// address 0, an entry whose CFI says that it has no caller, and the address of a function to "return" to, whose CFI
// then leads past the top of the stack, where nothing is mapped.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "fiber_switch.h"
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

#if defined(__x86_64__)
enum { kSavedWords = 6 };
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
