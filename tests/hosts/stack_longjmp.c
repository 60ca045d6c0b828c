// Frames that vanish without returning, and others that take their place.
#include <setjmp.h>
#include <stdlib.h>

#include "tally.h"

static jmp_buf target;

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

__attribute__((noinline)) static void narrow(int depth) {
  touch(24);
  if (depth == 0) longjmp(target, 1);
  narrow(depth - 1);
  touch(25);
}
__attribute__((noinline)) static void wide(int depth) {
  volatile char room[200];
  room[depth] = 1;
  (void)room[0];
  touch(40);
  if (depth == 0) longjmp(target, 2);
  if (depth % 3 == 0) {
    narrow(depth - 1);
  } else {
    wide(depth - 1);
  }
  touch(41);
}

int main(void) {
  volatile int jumps = 0;
  for (volatile int i = 0; i < 200; ++i) {
    if (setjmp(target) == 0) {
      if (i % 2 == 0) {
        narrow(i % 50);
      } else {
        wide(i % 60);
      }
    } else {
      ++jumps;
      touch(56);
    }
  }
  print("jumps %d\n", jumps);
  expect_tally();
  return 0;
}
