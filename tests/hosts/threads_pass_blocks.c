// Four threads pass a million blocks to each other: each allocates, leaves the block where another may take it, and
// frees the one that it finds there. In the end every block is freed.
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

enum { kThreads = 4, kBlocks = 250000, kPlaces = 512 };

static void* places[kPlaces];
static uint64_t bytes_of[kThreads];

static void* pass(void* argument) {
  const long number = (long)argument;
  uint64_t random = (uint64_t)number + 1;
  uint64_t bytes = 0;
  for (int i = 0; i < kBlocks; ++i) {
    const size_t size = next_random(&random) % 200 + 8;
    size_t* block = malloc(size);
    *block = size;
    bytes += size;
    block = __atomic_exchange_n(&places[next_random(&random) % kPlaces], block, __ATOMIC_ACQ_REL);
    free(block);
  }
  bytes_of[number] = bytes;
  return NULL;
}

int main(void) {
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, pass, (void*)i);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  uint64_t bytes = 0;
  for (int i = 0; i < kThreads; ++i) bytes += bytes_of[i];
  for (int i = 0; i < kPlaces; ++i) free(places[i]);
  expect("allocations", (uint64_t)kThreads * kBlocks);
  expect("frees", (uint64_t)kThreads * kBlocks);
  expect("bytes", bytes);
  expect("open", 0);
  expect("orphans", 0);
  return 0;
}
