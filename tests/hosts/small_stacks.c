// Threads with the smallest stack that there is still have room for the recorder.
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

static void* body(void* argument) {
  (void)argument;
  for (int i = 1; i <= 50; ++i) {
    void* block = tally_add(malloc((size_t)i), (size_t)i);
    block = realloc(block, (size_t)i * 100);
    tally_sub((size_t)i);
    tally_add(block, (size_t)i * 100);
    free(block);
    tally_sub((size_t)i * 100);
  }
  return NULL;
}

int main(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) != 0) return 1;
  for (int i = 0; i < 20; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, body, NULL) != 0) return 2;
    pthread_join(thread, NULL);
  }
  pthread_attr_destroy(&attributes);
  expect_tally();
  return 0;
}
