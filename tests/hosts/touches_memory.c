// Maps 64 MiB, touches them, gives them back with MADV_DONTNEED; a while of events after each step, so that a thread
// claims pages of the trace. Blocks of odd sizes tell the driver when each while began and ended.
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "tally.h"

static const size_t kBytes = (size_t)64 << 20;

static uint64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// It stays, so that there are few to look at.
static void stamp(size_t size) { hidden(malloc(size)); }

// The time is not what is tested: it is long enough for several samples.
static void churn(size_t first_stamp) {
  stamp(first_stamp);
  for (uint64_t end = now_ms() + 400; now_ms() < end;)
    for (int i = 0; i < 1000; ++i) free(hidden(malloc(24 + (size_t)(i % 7) * 16)));
  stamp(first_stamp + 1);
}

int main(void) {
  char* memory = mmap(NULL, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  churn(1000001);
  memset(memory, 1, kBytes);
  churn(1000003);
  if (madvise(memory, kBytes, MADV_DONTNEED) != 0) return 1;
  churn(1000005);
  expect("touched_bytes", kBytes);
  return 0;
}
