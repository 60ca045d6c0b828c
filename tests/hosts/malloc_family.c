// Every allocating function of C once or more, in known numbers, some blocks left open.
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>

#include "tally.h"

static void* blocks[64];
static size_t sizes[64];
static int count;

static void keep(void* block, size_t bytes) {
  if (block == NULL) {
    print("a block is missing\n");
    _exit(1);
  }
  fill(block, bytes, (unsigned char)count);
  sizes[count] = bytes;
  blocks[count++] = tally_add(block, bytes);
}

__attribute__((noinline)) static void use_malloc(void) { keep(malloc(10), 10); }
__attribute__((noinline)) static void use_calloc(void) { keep(calloc(3, 7), 21); }
__attribute__((noinline)) static void use_reallocarray(void) { keep(reallocarray(NULL, 4, 9), 36); }
__attribute__((noinline)) static void use_posix_memalign(void) {
  void* block = NULL;
  print("posix_memalign %d\n", posix_memalign(&block, 64, 100));
  keep(block, 100);
}
__attribute__((noinline)) static void use_aligned_alloc(void) { keep(aligned_alloc(128, 256), 256); }
__attribute__((noinline)) static void use_memalign(void) { keep(memalign(256, 70), 70); }
__attribute__((noinline)) static void use_valloc(void) { keep(valloc(80), 80); }
__attribute__((noinline)) static void use_pvalloc(void) { keep(pvalloc(90), 90); }
__attribute__((noinline)) static void use_realloc(void) { keep(realloc(NULL, 50), 50); }

__attribute__((noinline)) static void grow(int index, size_t bytes) {
  void* block = realloc(blocks[index], bytes);
  const size_t before = sizes[index];
  print("kept %d\n", holds(block, before < bytes ? before : bytes, (unsigned char)index));
  fill(block, bytes, (unsigned char)index);
  tally_sub(before);
  sizes[index] = bytes;
  blocks[index] = tally_add(block, bytes);
}

__attribute__((noinline)) static void release(int index) {
  print("intact %d\n", holds(blocks[index], sizes[index], (unsigned char)index));
  free(blocks[index]);
  tally_sub(sizes[index]);
}

int main(void) {
  for (int i = 0; i < 3; ++i) use_malloc();  // 0 1 2
  for (int i = 0; i < 2; ++i) use_calloc();  // 3 4
  use_reallocarray();                        // 5
  use_posix_memalign();                      // 6
  use_aligned_alloc();                       // 7
  use_memalign();                            // 8
  use_valloc();                              // 9
  use_pvalloc();                             // 10
  use_realloc();                             // 11
  grow(0, 1000);
  grow(3, 5);
  grow(6, 200000);
  void* array = reallocarray(blocks[5], 100, 9);
  tally_sub(sizes[5]);
  sizes[5] = 900;
  fill(array, 900, 5);
  blocks[5] = tally_add(array, 900);
  for (int i = 4; i < count; ++i) release(i);
  free(NULL);

  // Chunks by the function that made them; a realloc of a block ends one chunk and makes another.
  expect("by.malloc", 3);
  expect("by.calloc", 2);
  expect("by.reallocarray", 2);
  expect("by.posix_memalign", 1);
  expect("by.aligned_alloc", 1);
  expect("by.memalign", 1);
  expect("by.valloc", 1);
  expect("by.pvalloc", 1);
  expect("by.realloc", 4);
  expect("freed_by.free", 8);
  expect("freed_by.realloc", 3);
  expect("freed_by.reallocarray", 1);
  expect("called_from.use_malloc", 3);
  expect("called_from.use_calloc", 2);
  expect("called_from.use_pvalloc", 1);
  expect("called_from.grow", 3);
  expect_tally();
  return 7;
}
