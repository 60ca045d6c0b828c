// The program ends while its other threads allocate and free without pause.
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

enum { kThreads = 4 };
static int turns[kThreads];

static void* churn(void* argument) {
  int* turn = argument;
  for (;;) {
    void* blocks[10];
    for (int i = 0; i < 10; ++i) blocks[i] = malloc(64);
    for (int i = 0; i < 10; ++i) free(blocks[i]);
    __atomic_fetch_add(turn, 1, __ATOMIC_RELEASE);
  }
  return NULL;
}

int main(int count, char** arguments) {
  pthread_t thread;
  for (int i = 0; i < kThreads; ++i) {
    if (pthread_create(&thread, NULL, churn, &turns[i]) != 0) return 1;
    pthread_detach(thread);
  }
  for (int i = 0; i < kThreads; ++i)
    while (__atomic_load_n(&turns[i], __ATOMIC_ACQUIRE) < 1000) sched_yield();
  print("every thread did 1000 turns\n");
  if (count > 1 && strcmp(arguments[1], "_exit") == 0) _exit(9);
  if (count > 1 && strcmp(arguments[1], "quick_exit") == 0) quick_exit(9);
  exit(9);
}
