// Allocations in constructors and destructors of every priority, in atexit and at_quick_exit handlers.
#include <stdlib.h>

#include "tally.h"

static void* kept[8];

__attribute__((constructor(101))) static void first(void) { kept[0] = tally_add(malloc(11), 11); }
__attribute__((constructor(1000))) static void second(void) { kept[1] = tally_add(calloc(1, 12), 12); }
__attribute__((constructor)) static void third(void) { kept[2] = tally_add(realloc(NULL, 13), 13); }

static void release(int index, size_t bytes) {
  free(kept[index]);
  tally_sub(bytes);
  free(hidden(tally_add(malloc(1), 1)));
  tally_sub(1);
}

// Destructors run in the reverse order; the first constructor's runs last and reports.
__attribute__((destructor(101))) static void last_end(void) {
  release(0, 11);
  tally_add(malloc(99), 99);
  expect("open_sized.99", 1);
  expect_tally();
}
__attribute__((destructor(1000))) static void second_end(void) { release(1, 12); }
__attribute__((destructor)) static void first_end(void) { release(2, 13); }

static void at_exit(void) {
  release(3, 14);
  free(hidden(tally_add(malloc(2000), 2000)));
  tally_sub(2000);
}

int main(void) {
  kept[3] = tally_add(malloc(14), 14);
  if (atexit(at_exit) != 0) return 1;
  return 5;
}
