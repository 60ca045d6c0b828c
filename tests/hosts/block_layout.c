// Addresses modulo their alignment, usable sizes and distances are those of the allocator alone.
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>

#include "tally.h"

static const char* base;

static void report(const char* what, size_t bytes, void* block) {
  if (base == NULL) base = block;
  // Large blocks are mapped at random addresses: only their place in the page is the same in every run.
  const int mapped = bytes >= 128 * 1024;
  print("%s(%zu) usable %zu at %ld\n", what, bytes, malloc_usable_size(block),
        mapped ? (long)((uintptr_t)block & 4095) : (long)((const char*)block - base));
  tally_add(block, bytes);
}

int main(void) {
  static const size_t sizes[] = {0, 1, 8, 16, 24, 25, 40, 100, 1000, 1032, 4096, 10000, 100000, 200000, 5000000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) report("malloc", sizes[i], malloc(sizes[i]));
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) report("calloc", sizes[i], calloc(1, sizes[i]));
  // Not beyond a page: where the next aligned address is then depends on where the kernel put the heap.
  for (size_t align = 8; align <= 4096; align *= 2) {
    void* block = NULL;
    if (posix_memalign(&block, align, 33) != 0) return 1;
    print("alignment %zu: %d\n", align, (uintptr_t)block % align == 0);
    report("posix_memalign", 33, block);
    block = memalign(align, 500);
    print("alignment %zu: %d\n", align, (uintptr_t)block % align == 0);
    report("memalign", 500, block);
  }
  void* page = valloc(3);
  print("valloc %lu\n", (unsigned long)((uintptr_t)page % 4096));
  report("valloc", 3, page);
  page = pvalloc(3);
  print("pvalloc %lu\n", (unsigned long)((uintptr_t)page % 4096));
  report("pvalloc", 3, page);
  expect_tally();
  return 0;
}
