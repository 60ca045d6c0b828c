// sanitized clean|leak: built with one sanitizer after the other by the test itself.
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

static void* work(void* argument) {
  for (size_t i = 1; i <= 1000; ++i) {
    free(hidden(tally_add(malloc(i), i)));
    tally_sub(i);
  }
  return argument;
}

__attribute__((noinline)) static void leak(void) { hidden(tally_add(malloc(4321), 4321)); }
__attribute__((noinline)) static void overwrite_stack(void) {
  char over[4096];
  memset(hidden(over), 0, sizeof over);
  hidden(over);
}

int main(int count, char** arguments) {
  pthread_t thread;
  pthread_create(&thread, NULL, work, NULL);
  pthread_join(thread, NULL);
  work(NULL);
  int* numbers = hidden(tally_add(calloc(10, sizeof(int)), 10 * sizeof(int)));
  numbers[count] = 2147483647;
  numbers[count] += count;  // UndefinedBehaviorSanitizer has a word on that, and goes on
  free(numbers);
  tally_sub(10 * sizeof(int));
  if (strcmp(arguments[1], "leak") == 0) leak();
  overwrite_stack();
  expect_tally();
  return 3;
}
