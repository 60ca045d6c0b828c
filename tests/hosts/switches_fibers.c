// switches_fibers ROUNDS: sixteen fibers on stacks of one size take turns; each allocates once, at a depth of its
// own each time, and yields. The switch is assembly, and no system call is made.
#include <stdlib.h>
#include <sys/mman.h>

#include "fiber_switch.h"
#include "tally.h"

enum { kFibers = 16, kStackBytes = 256 * 1024 };

static void* scheduler;
static struct Fiber { void* sp; } fibers[kFibers];
static struct Fiber* running;
static uint64_t random_state = 31;

#if defined(__x86_64__)
enum { kFirstWords = 9, kEntryWord = 6 };
#else
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
