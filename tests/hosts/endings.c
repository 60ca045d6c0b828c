// endings HOW THREADS: every thread makes blocks of a size of its own and reports each on standard output with one
// letter, right after the call; then the program ends in the given way. HOW: return, exit, _exit, quick_exit, abort,
// segv, kill, term, overflow (of the stack, by frames that allocate and report, too), hungry (touches blocks of 1 MiB,
// each reported with M, until it gets no more or is killed), and killed:N, where SIGKILL comes from another thread when
// N reports have been made.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "tally.h"

enum { kBlocks = 1500 };

static unsigned long reports;
static unsigned long kill_after = ~0ul;

static void* make_blocks(void* argument) {
  const long number = (long)argument;
  const char letter = (char)('a' + number);
  const int forever = kill_after != ~0ul;
  for (int i = 0; i < kBlocks || forever; ++i) {
    char* block = malloc(1000 + (size_t)number);
    *block = letter;
    if (write(1, &letter, 1) != 1) _exit(8);
    __atomic_fetch_add(&reports, 1, __ATOMIC_RELEASE);
  }
  return NULL;
}

// The frame that meets the guard page may be the recorder's.
static __attribute__((noinline)) int overflow(int depth) {
  volatile char room[2000];
  room[0] = (char)depth;
  *(char*)hidden(malloc(2000)) = 1;
  print_text("o");
  return overflow(depth + 1) + room[0];
}

static void eat(void) {
  enum { kMeal = 1 << 20 };
  for (char* block; (block = malloc(kMeal)) != NULL;) {
    print_text("M");
    memset(block, 1, kMeal);
  }
  print_text("no more\n");
  for (;;) pause();
}

static void end(const char* how) {
  if (strcmp(how, "exit") == 0) exit(3);
  if (strcmp(how, "_exit") == 0) _exit(4);
  if (strcmp(how, "_Exit") == 0) _Exit(5);
  if (strcmp(how, "quick_exit") == 0) quick_exit(6);
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "segv") == 0) *(volatile int*)hidden(NULL) = 1;
  if (strcmp(how, "kill") == 0) kill(getpid(), SIGKILL);
  if (strcmp(how, "term") == 0) kill(getpid(), SIGTERM);
  if (strcmp(how, "overflow") == 0) overflow(0);
  if (strcmp(how, "hungry") == 0) eat();
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const char* how = arguments[1];
  const long threads = atol(arguments[2]);
  if (strncmp(how, "killed:", 7) == 0) kill_after = strtoul(how + 7, NULL, 10);
  pthread_t started[26];
  for (long i = 1; i < threads; ++i) pthread_create(&started[i], NULL, make_blocks, (void*)i);
  if (kill_after != ~0ul) {
    while (__atomic_load_n(&reports, __ATOMIC_ACQUIRE) < kill_after) sched_yield();
    kill(getpid(), SIGKILL);
  }
  make_blocks((void*)0);
  for (long i = 1; i < threads; ++i) pthread_join(started[i], NULL);
  end(how);
  return 1;
}
