// Zero sizes, null pointers, reallocs that end, move, shrink and fail.
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>

#include "tally.h"

int main(void) {
  void* zero = tally_add(malloc(0), 0);
  void* zero_array = tally_add(calloc(0, 8), 0);
  void* zero_realloc = tally_add(realloc(NULL, 0), 0);
  print("zero blocks %d %d %d\n", zero != NULL, zero_array != NULL, zero_realloc != NULL);
  print("usable %zu\n", malloc_usable_size(zero));
  free(zero);
  tally_sub(0);
  free(zero_array);
  tally_sub(0);
  free(zero_realloc);
  tally_sub(0);

  // glibc's realloc(p, 0) frees p and returns NULL: ten times a false leak where that is not known.
  for (int i = 0; i < 10; ++i) {
    void* block = tally_add(malloc(100), 100);
    errno = 77;
    void* gone = realloc(hidden(block), 0);
    print("realloc(p, 0) %s errno %d\n", gone == NULL ? "null" : "block", errno);
    tally_sub(100);
    if (gone != NULL) {
      tally_add(gone, 0);
      free(gone);
      tally_sub(0);
    }
  }
  expect("freed_by.realloc", 10 + 1000);

  void* block = tally_add(realloc(NULL, 24), 24);
  fill(block, 24, 1);
  size_t bytes = 24;
  uint64_t random = 1;
  for (int i = 0; i < 1000; ++i) {
    const size_t wanted = next_random(&random) % 70000 + 1;
    block = realloc(block, wanted);
    tally_sub(bytes);
    tally_add(block, wanted);
    const size_t same = bytes < wanted ? bytes : wanted;
    if (!holds(block, same, 1)) print("damaged in step %d\n", i);
    fill(block, wanted, 1);
    bytes = wanted;
  }

  // A realloc that fails leaves the block as it was, and is no event.
  errno = 0;
  void* failed = realloc(block, (size_t)hidden((void*)(PTRDIFF_MAX - 4096l)));
  print("failed %d errno %d intact %d\n", failed == NULL, errno, holds(block, bytes, 1));
  errno = 0;
  failed = reallocarray(block, (size_t)hidden((void*)(SIZE_MAX / 2)), 3);
  print("overflow %d errno %d intact %d\n", failed == NULL, errno, holds(block, bytes, 1));
  free(block);
  tally_sub(bytes);
  free(NULL);
  expect("orphans", 0);
  expect_tally();
  return 0;
}
