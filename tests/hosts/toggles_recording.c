// Raises SIGUSR2 between blocks of 1,001, 1,002, 1,003 … bytes: each size is of one time between two signals.
// With `own` the program has a handler itself; with `fork` a child does the same and ends before its parent goes on.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tally.h"

enum { kTimes = 5, kBlocks = 10 };
static void* blocks[kTimes][kBlocks];
static volatile sig_atomic_t handled;

static void count(int signal) {
  (void)signal;
  ++handled;
}

static void allocate(int time) {
  for (int i = 0; i < kBlocks; ++i) blocks[time][i] = hidden(malloc(1001 + (size_t)time));
}
static void release(int time, int number) {
  for (int i = 0; i < number; ++i) free(blocks[time][i]);
}
static void toggle(void) {
  errno = 77;
  raise(SIGUSR2);
  if (errno != 77) print("errno changed\n");
}

static void work(void) {
  allocate(0);
  release(0, 1);  // before any signal
  toggle();
  allocate(1);
  free(hidden(realloc(blocks[0][1], 2000)));
  release(1, 2);
  toggle();
  allocate(2);
  for (int i = 2; i < 5; ++i) free(blocks[1][i]);  // frees are recorded while paused
  toggle();
  allocate(3);
  release(2, 4);
  toggle();
  allocate(4);
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  if (strcmp(how, "own") == 0) signal(SIGUSR2, count);
  if (strcmp(how, "fork") == 0) {
    const pid_t child = fork();
    if (child == 0) {
      work();
      return 0;
    }
    int status;
    waitpid(child, &status, 0);
    print("child %d\n", status);
    return 0;
  }
  work();
  print("handled %d\n", (int)handled);
  return 0;
}
