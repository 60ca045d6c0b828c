// main leaves by pthread_exit while its threads go on, and they leave by pthread_exit too, from deep in their calls;
// the process ends with the last of them. Every one holds a block that its clean-up handler frees.
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

enum { kThreads = 20, kDepth = 50 };

static pthread_t main_thread;
static pthread_t threads[kThreads];

static void release(void* block) {
  free(block);
  tally_sub(150);
}

static __attribute__((noinline)) void leave(int depth) {
  pthread_cleanup_push(release, tally_add(malloc(150), 150));
  if (depth == 0) pthread_exit(NULL);
  leave(depth - 1);
  pthread_cleanup_pop(0);
}

static void* body(void* argument) {
  free(hidden(tally_add(malloc(160), 160)));
  tally_sub(160);
  leave(kDepth);
  return argument;
}

// Outlives main and the others, and so knows what all have done.
static void* last(void* argument) {
  pthread_join(main_thread, NULL);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  hidden(tally_add(malloc(170), 170));
  expect("sized.150", (kThreads + 1) * (kDepth + 1));
  expect("sized.160", kThreads);
  expect("open_sized.170", 1);
  expect("threads", kThreads + 2);
  expect("orphans", 0);  // of the library that pthread_exit loads, too
  return argument;
}

int main(void) {
  pthread_t outlives;
  main_thread = pthread_self();
  for (int i = 0; i < kThreads; ++i)
    if (pthread_create(&threads[i], NULL, body, NULL) != 0) return 1;
  if (pthread_create(&outlives, NULL, last, NULL) != 0) return 1;
  leave(kDepth);
}
