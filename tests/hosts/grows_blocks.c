// malloc, calloc, realloc to other places, free.
#include <stdlib.h>

#include "tally.h"

int main(void) {
  for (size_t i = 0; i < 1000; ++i) {
    void* block = tally_add(hidden(i % 2 == 0 ? malloc(100) : calloc(10, 10)), 100);
    block = tally_add(hidden(realloc(block, 1000 + i)), 1000 + i);
    tally_sub(100);
    if (i % 4 == 0) continue;
    free(block);
    tally_sub(1000 + i);
  }
  expect_tally();
  return 0;
}
