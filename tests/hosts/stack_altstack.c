// Signal handlers on an alternate stack that allocate, raise again on it, and are reached from different depths.
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>

#include "tally.h"

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

static volatile int handled;

static void handle(int signal) {
  touch(70);
  ++handled;
  if (signal == SIGUSR1) raise(SIGUSR2);
  touch(71);
}

__attribute__((noinline)) static void descend(int depth) {
  volatile char room[48];
  room[depth % 48] = (char)depth;
  (void)room[0];
  touch(30);
  if (depth > 0) descend(depth - 1);
  if (depth % 4 == 0) raise(SIGUSR1);
  touch(31);
}

int main(void) {
  static char stack[128 * 1024];
  const stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
  if (sigaltstack(&alternate, NULL) != 0) return 1;
  sigaction(SIGUSR1, &action, NULL);
  action.sa_flags = 0;
  sigaction(SIGUSR2, &action, NULL);
  for (int i = 0; i < 30; ++i) descend(i);
  print("handled %d\n", handled);
  expect_tally();
  return 0;
}
