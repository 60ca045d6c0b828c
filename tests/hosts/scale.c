// scale WHAT N: depth (N frames, each of which allocates on the way down and up), stacks (2^N stacks, all different),
// events (N million events), sizes (blocks of 0 bytes and mappings of 8 TiB).
#define _GNU_SOURCE
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tally.h"

static void touch(size_t bytes) {
  free(hidden(tally_add(malloc(bytes), bytes)));
  tally_sub(bytes);
}

static __attribute__((noinline)) void dive(long depth) {
  touch(24);
  if (depth > 1) dive(depth - 1);
  touch(48);
}

// Every bit of `path` chooses between two calls.
static __attribute__((noinline)) void along(unsigned long path, long depth) {
  if (depth == 0) {
    touch(16);
  } else if (path & 1) {
    along(path >> 1, depth - 1);
    __asm__ volatile("nop");
  } else {
    along(path >> 1, depth - 1);
    __asm__ volatile("");
  }
}

static __attribute__((noinline)) void churn(unsigned long pairs) {
  enum { kBlocks = 256 };
  static void* blocks[kBlocks];
  uint64_t random = 1;
  for (unsigned long i = 0; i < pairs; ++i) {
    void** place = &blocks[next_random(&random) % kBlocks];
    free(*place);
    *place = malloc(16 + i % 100);
  }
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
}

static void sizes(void) {
  const size_t tebibyte = (size_t)1 << 40;
  void* zeros[400];
  for (int i = 0; i < 100; ++i) {
    zeros[4 * i] = tally_add(malloc(0), 0);
    zeros[4 * i + 1] = tally_add(calloc(0, 8), 0);
    zeros[4 * i + 2] = tally_add(realloc(NULL, 0), 0);
    zeros[4 * i + 3] = tally_add(memalign(64, 0), 0);
  }
  for (int i = 0; i < 399; ++i) {
    free(zeros[i]);
    tally_sub(0);
  }
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  char* reserved = mmap(NULL, 8 * tebibyte, PROT_NONE, flags, -1, 0);
  char* other = mmap(NULL, 8 * tebibyte, PROT_NONE, flags, -1, 0);
  print("reserved %d %d\n", reserved != MAP_FAILED, other != MAP_FAILED);
  other = mremap(other, 8 * tebibyte, 16 * tebibyte, MREMAP_MAYMOVE);
  print("grown %d\n", other != MAP_FAILED);
  print("cut %d\n", munmap(reserved + tebibyte, 6 * tebibyte));
  // As the kernel sees fit: it must be the same.
  void* huge = malloc(8 * tebibyte);
  if (huge != NULL) tally_add(huge, 8 * tebibyte);
  print("malloc of 8 TiB: %d, errno %d\n", huge != NULL, huge == NULL ? errno : 0);
  expect("sized.0", 400);
  expect("open_sized.0", 1);
  expect("mmap.open_bytes", (2 + 16) * tebibyte);
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const long n = atol(arguments[2]);
  if (strcmp(arguments[1], "depth") == 0) {
    dive(n);
    expect_tally();
  } else if (strcmp(arguments[1], "stacks") == 0) {
    for (unsigned long path = 0; path < 1ul << n; ++path) along(path, n);
    expect_tally();
  } else if (strcmp(arguments[1], "events") == 0) {
    churn((unsigned long)n * 500000);
    print("allocations %ld\n", n * 500000);
  } else if (strcmp(arguments[1], "sizes") == 0) {
    sizes();
    expect_tally();
  }
  return 0;
}
