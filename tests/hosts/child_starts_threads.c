// child_starts_threads N: N forked children whose first allocations are those of four threads at the same moment. The
// threads take over stacks that glibc kept from the parent's, so that starting them allocates nothing.
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tally.h"

enum { kThreads = 4, kBlocks = 10 };

static pthread_t threads[kThreads];
static int here;

static void* wait_for_all(void* argument) {
  __atomic_fetch_add(&here, 1, __ATOMIC_ACQ_REL);
  while (__atomic_load_n(&here, __ATOMIC_ACQUIRE) % kThreads != 0) {
  }
  return argument;
}

static void* allocate(void* argument) {
  wait_for_all(NULL);
  for (int i = 0; i < kBlocks; ++i) free(hidden(malloc(123)));
  return argument;
}

static int run_threads(void* (*body)(void*)) {
  for (int i = 0; i < kThreads; ++i)
    if (pthread_create(&threads[i], NULL, body, NULL) != 0) return 1;
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  return 0;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const int children = atoi(arguments[1]);
  int good = 0;
  if (run_threads(wait_for_all) != 0) return 3;
  for (int i = 0; i < children; ++i) {
    const pid_t child = fork();
    if (child == 0) exit(run_threads(allocate));
    int status = 1;
    waitpid(child, &status, 0);
    good += status == 0;
  }
  print("%d children\n", good);
  return 0;
}
