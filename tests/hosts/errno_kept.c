// No call that succeeds changes errno, whatever it was, also when the recorder has new stacks and pages to write.
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tally.h"

static int changes;

static void check(const char* what, int before) {
  if (errno == before) return;
  if (++changes <= 10) print("%s changed errno from %d to %d\n", what, before, errno);
}

// A new stack each time: the recursion is as deep as the bits of `path`.
static __attribute__((noinline)) void allocate_along(unsigned path, int depth, int before) {
  if (depth > 0) {
    if (path & 1) {
      allocate_along(path >> 1, depth - 1, before);
      __asm__ volatile("");
    } else {
      allocate_along(path >> 1, depth - 1, before);
      __asm__ volatile("nop");
    }
    return;
  }
  errno = before;
  void* block = malloc(20);
  check("malloc", before);
  block = realloc(block, 40);
  check("realloc", before);
  free(block);
  check("free", before);
  block = calloc(2, 30);
  check("calloc", before);
  free(hidden(block));
  check("free", before);
  block = reallocarray(NULL, 2, 30);
  check("reallocarray", before);
  free(block);
  if (posix_memalign(&block, 32, 30) != 0) print("posix_memalign failed\n");
  check("posix_memalign", before);
  free(block);
  free(memalign(64, 30));
  check("memalign", before);
  free(aligned_alloc(64, 64));
  check("aligned_alloc", before);
  free(valloc(30));
  check("valloc", before);
  free(pvalloc(30));
  check("pvalloc", before);
}

int main(void) {
  for (unsigned path = 0; path < 2000; ++path) allocate_along(path, 11, (int)(path % 130));
  for (int i = 0; i < 50; ++i) {
    errno = 99;
    void* block = malloc(1u << 20);
    check("large malloc", 99);
    free(block);
    check("large free", 99);
    void* pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check("mmap", 99);
    pages = mremap(pages, 8192, 1 << 20, MREMAP_MAYMOVE);
    check("mremap", 99);
    munmap(pages, 1 << 20);
    check("munmap", 99);
  }
  errno = 0;
  void* nothing = mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  print("mmap of nothing: %d, errno %d\n", nothing == MAP_FAILED, errno);
  errno = 0;
  int result = munmap((void*)1, 4096);
  print("munmap of no page: %d, errno %d\n", result, errno);
  print("changes %d\n", changes);
  expect("allocations", 2000 * 9 + 50);
  expect("frees", 2000 * 9 + 50);
  expect("open", 0);
  return changes != 0;
}
