// C23's free_sized and free_aligned_sized, where the libraries have them.
#include <stdlib.h>

#include "tally.h"

extern void free_sized(void* block, size_t bytes) __attribute__((weak));
extern void free_aligned_sized(void* block, size_t alignment, size_t bytes) __attribute__((weak));

int main(void) {
  for (int i = 0; i < 5; ++i) {
    void* block = tally_add(malloc(100), 100);
    if (free_sized != NULL) {
      free_sized(block, 100);
    } else {
      free(block);
    }
    tally_sub(100);
  }
  for (int i = 0; i < 3; ++i) {
    void* block = tally_add(aligned_alloc(64, 128), 128);
    if (free_aligned_sized != NULL) {
      free_aligned_sized(block, 64, 128);
    } else {
      free(block);
    }
    tally_sub(128);
  }
  expect_tally();
  return 0;
}
