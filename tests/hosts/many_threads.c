// many_threads TOTAL ALIVE: TOTAL threads, ALIVE of them at a time, each with blocks of its own.
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

static pthread_barrier_t all_here;

static void* body(void* argument) {
  void* kept = malloc(1000);
  for (int i = 0; i < 5; ++i) {
    char* block = malloc(100);
    *block = 1;
    free(hidden(block));
  }
  pthread_barrier_wait(&all_here);
  free(kept);
  return argument;
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const int total = atoi(arguments[1]);
  const int alive = atoi(arguments[2]);
  pthread_t* threads = malloc(sizeof *threads * (size_t)alive);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 65536);
  pthread_barrier_init(&all_here, NULL, (unsigned)alive);
  for (int done = 0; done < total; done += alive) {
    for (int i = 0; i < alive; ++i)
      if (pthread_create(&threads[i], &attributes, body, NULL) != 0) {
        print("no thread %d\n", done + i);
        _exit(3);
      }
    for (int i = 0; i < alive; ++i) pthread_join(threads[i], NULL);
  }
  free(threads);
  pthread_attr_destroy(&attributes);
  print("%d threads\n", total);
  expect("sized.1000", (uint64_t)total);
  expect("sized.100", (uint64_t)total * 5);
  expect("open", 0);
  expect("orphans", 0);
  expect("threads", (uint64_t)total + 1);
  return 0;
}
