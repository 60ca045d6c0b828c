// churn DEPTH THREADS PAIRS: each thread calls itself down to DEPTH and there allocates and frees a block PAIRS times.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int depth;
static long pairs;

static __attribute__((noinline)) void churn(void) {
  static const size_t sizes[] = {16, 40, 64, 24, 120, 32, 200, 48};
  for (long i = 0; i < pairs; ++i) {
    char* block = malloc(sizes[i & 7]);
    if (block == NULL) abort();
    *(volatile char*)block = (char)i;
    free(block);
  }
}

static __attribute__((noinline)) void descend(int levels) {
  if (levels == 0) {
    churn();
  } else {
    descend(levels - 1);
  }
  __asm__ volatile("");
}

static void* run(void* unused) {
  descend(depth);
  return unused;
}

int main(int count, char** arguments) {
  if (count != 4) return 2;
  depth = atoi(arguments[1]);
  const int threads = atoi(arguments[2]);
  pairs = atol(arguments[3]);
  pthread_t others[64];
  if (threads < 1 || threads > 64) return 2;
  for (int i = 1; i < threads; ++i) {
    if (pthread_create(&others[i], NULL, run, NULL) != 0) return 1;
  }
  run(NULL);
  for (int i = 1; i < threads; ++i) pthread_join(others[i], NULL);
  printf("%ld pairs\n", pairs * threads);
  return 0;
}
