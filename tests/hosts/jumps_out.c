// A timer's handler jumps out of whatever runs with siglongjmp, many times: mostly out of mmap and munmap, and so out
// of the recorder. What is done after the last jump must be recorded as if nothing had happened.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "tally.h"

static sigjmp_buf back;
static volatile sig_atomic_t armed;

static void jump(int number) {
  (void)number;
  if (!armed) return;
  armed = 0;
  siglongjmp(back, 1);
}

int main(void) {
  enum { kJumps = 2000 };
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = jump;
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval fast = {{0, 150}, {0, 150}};
  const struct itimerval off = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &fast, NULL);
  volatile int jumps = 0;
  sigsetjmp(back, 1);
  if (++jumps <= kJumps) {
    armed = 1;
    for (;;) {
      char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      munmap(page, 4096);
    }
  }
  setitimer(ITIMER_REAL, &off, NULL);
  for (int i = 0; i < 1000; ++i) {
    void* block = tally_add(malloc(40), 40);
    block = realloc(block, 80);
    tally_sub(40);
    tally_add(block, 80);
    free(block);
    tally_sub(80);
  }
  tally_add(hidden(malloc(88)), 88);
  print("jumped %d times\n", jumps - 1);
  expect("called_from.main", 2001);
  expect_tally();
  return 0;
}
