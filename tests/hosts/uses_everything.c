// Takes every descriptor, every thread-specific key and all the data that it may, and says how many it got.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tally.h"

int main(void) {
  int descriptors = 0, keys = 0, pieces = 0;
  while (dup(0) >= 0) ++descriptors;
  pthread_key_t key;
  while (pthread_key_create(&key, NULL) == 0) ++keys;
  const struct rlimit limit = {64 << 20, 64 << 20};
  if (setrlimit(RLIMIT_DATA, &limit) != 0) return 1;
  const size_t piece = 64 << 10;
  while (mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) ++pieces;
  expect("descriptors", (uint64_t)descriptors);
  expect("keys", (uint64_t)keys);
  expect("pieces", (uint64_t)pieces);
  return 0;
}
