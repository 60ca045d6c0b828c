// Allocations that fail are no events, return what they return natively and leave the errno that they leave natively.
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>

#include "tally.h"

static void report(const char* what, void* block) {
  print("%s: %s, errno %d\n", what, block ? "block" : "null", errno);
}

int main(void) {
  const size_t huge = (size_t)hidden((void*)(PTRDIFF_MAX - 100000l));
  const size_t half = (size_t)hidden((void*)(SIZE_MAX / 2 + 2));
  void* block = NULL;
  errno = 0;
  report("malloc", malloc(huge));
  errno = 0;
  report("malloc of everything", malloc((size_t)hidden((void*)SIZE_MAX)));
  errno = 0;
  report("calloc", calloc(1, huge));
  errno = 0;
  report("calloc that overflows", calloc(half, 2));
  errno = 0;
  report("realloc", realloc(NULL, huge));
  errno = 0;
  report("reallocarray", reallocarray(NULL, half, 2));
  errno = 5;
  print("posix_memalign %d", posix_memalign(&block, 64, huge));
  report("", block);
  errno = 5;
  print("posix_memalign of a bad alignment %d", posix_memalign(&block, 3, 10));
  report("", block);
  errno = 5;
  print("posix_memalign of alignment 0 %d", posix_memalign(&block, 0, 10));
  report("", block);
  errno = 0;
  report("aligned_alloc", aligned_alloc(64, huge & ~(size_t)63));
  errno = 0;
  report("memalign", memalign(64, huge));
  errno = 0;
  report("memalign of a huge alignment", memalign((size_t)hidden((void*)(SIZE_MAX / 2 + 2)), 10));
  errno = 0;
  report("valloc", valloc(huge));
  errno = 0;
  report("pvalloc", pvalloc(huge));
  errno = 0;
  report("pvalloc of everything", pvalloc((size_t)hidden((void*)SIZE_MAX)));
  expect_tally();
  return 0;
}
