// Threads that do little but allocate are cancelled; their clean-up handlers free what they hold.
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

enum { kThreads = 200 };

struct state {
  void* held;
  int started;
};

static void release(void* argument) {
  struct state* state = argument;
  free(state->held);
  state->held = NULL;
}

static void* body(void* argument) {
  struct state* state = argument;
  pthread_cleanup_push(release, state);
  for (;;) {
    state->held = malloc(123);
    __atomic_store_n(&state->started, 1, __ATOMIC_RELEASE);
    pthread_testcancel();
    free(state->held);
    state->held = NULL;
  }
  pthread_cleanup_pop(1);
  return NULL;
}

int main(void) {
  int cancelled = 0;
  for (int i = 0; i < kThreads; ++i) {
    struct state state = {NULL, 0};
    pthread_t thread;
    void* result = NULL;
    if (pthread_create(&thread, NULL, body, &state) != 0) return 1;
    while (__atomic_load_n(&state.started, __ATOMIC_ACQUIRE) == 0) sched_yield();
    pthread_cancel(thread);
    pthread_join(thread, &result);
    cancelled += result == PTHREAD_CANCELED && state.held == NULL;
  }
  print("cancelled %d\n", cancelled);
  expect("open_sized.123", 0);
  expect("orphans", 0);
  return 0;
}
