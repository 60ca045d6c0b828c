// A fiber on a stack from malloc, whose entry "returns" to a function with a large frame: its CFI leads past the end of
// the stack, into memory that goes while the fiber lives. With an argument, nothing is told of it but to the kernel:
// free gives the end of the heap back, or another mapping, without access, takes its place.
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "tally.h"

enum { kBlockBytes = 100 * 1024, kAbove = 20 };

static ucontext_t scheduler, fiber;

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

static void run_fiber(void) {
  for (;;) {
    touch(24);
    touch(40);
    swapcontext(&fiber, &scheduler);
  }
}

__attribute__((noinline)) void never_returned_to(void) {
  volatile char room[48 * 4096];
  room[0] = 1;
  touch(1);
  (void)room[0];
}

static void make_fiber(void* stack) {
  getcontext(&fiber);
  fiber.uc_stack.ss_sp = stack;
  fiber.uc_stack.ss_size = kBlockBytes;
  fiber.uc_link = &scheduler;
  makecontext(&fiber, run_fiber, 0);
#if defined(__x86_64__)
  *(uintptr_t*)fiber.uc_mcontext.gregs[REG_RSP] = (uintptr_t)never_returned_to + 12;
#endif
}

int main(int count, char** arguments) {
  const int remaps = count > 1 && strcmp(arguments[1], "remap") == 0;
  void* above[kAbove];
  touch(24);
  touch(40);
  char* region = mmap(NULL, 2 * kAbove * kBlockBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void* forbidden = mmap(NULL, kAbove * kBlockBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void* stack = remaps ? region : malloc(kBlockBytes);
  for (int i = 0; i < kAbove; ++i) above[i] = memset(malloc(kBlockBytes), 1, kBlockBytes);
  make_fiber(stack);
  for (int i = 0; i < 3; ++i) swapcontext(&scheduler, &fiber);
  if (remaps) {
    mremap(forbidden, kAbove * kBlockBytes, kAbove * kBlockBytes, MREMAP_MAYMOVE | MREMAP_FIXED, region + kBlockBytes);
  }
  for (int i = kAbove; i > 0; --i) free(above[i - 1]);
  for (int i = 0; i < 30; ++i) swapcontext(&scheduler, &fiber);
  print("alive\n");
  return 0;
}
