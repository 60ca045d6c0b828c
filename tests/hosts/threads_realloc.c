// Four threads do a million reallocs, so that an address that one gives up is at once another's.
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

enum { kThreads = 4, kReallocs = 250000, kBlocks = 32 };

static void* shared[kBlocks];
static uint64_t bytes_of[kThreads];

static void* work(void* argument) {
  const long number = (long)argument;
  uint64_t random = (uint64_t)number + 100;
  uint64_t bytes = 0;
  void* block = NULL;
  for (int i = 0; i < kReallocs; ++i) {
    const size_t size = next_random(&random) % 400 + 1;
    block = realloc(block, size);
    *(char*)block = 1;
    bytes += size;
    if (next_random(&random) % 4 == 0) {
      // Whoever takes it reallocs it next: blocks wander between the threads' arenas.
      block = __atomic_exchange_n(&shared[next_random(&random) % kBlocks], block, __ATOMIC_ACQ_REL);
    }
  }
  free(block);
  bytes_of[number] = bytes;
  return NULL;
}

int main(void) {
  pthread_t threads[kThreads];
  for (long i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, work, (void*)i);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  uint64_t bytes = 0;
  for (int i = 0; i < kThreads; ++i) bytes += bytes_of[i];
  for (int i = 0; i < kBlocks; ++i) free(shared[i]);
  expect("allocations", (uint64_t)kThreads * kReallocs);
  expect("frees", (uint64_t)kThreads * kReallocs);
  expect("bytes", bytes);
  expect("open", 0);
  expect("orphans", 0);
  return 0;
}
