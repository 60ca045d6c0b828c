// Fibers of makecontext on mapped stacks. A finished fiber's stack is unmapped at once: whoever looks at what was
// remembered of it faults. New fibers often get the same addresses.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tally.h"

enum { kFibers = 6, kRounds = 40, kStackBytes = 64 * 1024 };

static ucontext_t scheduler;
struct Fiber {
  ucontext_t context;
  void* stack;
  int finished;
};
static struct Fiber fibers[kFibers];
static uint64_t random_state = 3;

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

__attribute__((noinline)) static void descend(struct Fiber* self, int depth) {
  touch(20 + (size_t)depth);
  if (depth > 0) descend(self, depth - 1);
  if (depth % 3 == 0) swapcontext(&self->context, &scheduler);
  touch(60 + (size_t)depth);
}

static void run(unsigned index, unsigned depth) {
  descend(&fibers[index], (int)depth);
  fibers[index].finished = 1;
}

static void start(unsigned index) {
  struct Fiber* fiber = &fibers[index];
  fiber->stack = mmap(NULL, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fiber->finished = 0;
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack;
  fiber->context.uc_stack.ss_size = kStackBytes;
  fiber->context.uc_link = &scheduler;
  makecontext(&fiber->context, (void (*)(void))run, 2, index, next_random(&random_state) % 20);
}

int main(void) {
  int finished = 0;
  for (unsigned i = 0; i < kFibers; ++i) start(i);
  while (finished < kRounds) {
    const unsigned next = next_random(&random_state) % kFibers;
    swapcontext(&scheduler, &fibers[next].context);
    touch(10);
    if (!fibers[next].finished) continue;
    ++finished;
    munmap(fibers[next].stack, kStackBytes);
    start(next);
  }
  print("finished %d\n", finished);
  expect_tally();
  return 0;
}
