// thread_start THREADS: starts and joins threads in batches of eight; each allocates and frees twenty blocks.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { kBatch = 8, kBlocks = 20 };

static void* run(void* unused) {
  char* blocks[kBlocks];
  for (int i = 0; i < kBlocks; ++i) {
    blocks[i] = malloc((size_t)(i + 1) * 16);
    if (blocks[i] == NULL) abort();
    *(volatile char*)blocks[i] = (char)i;
  }
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  return unused;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const long batches = atol(arguments[1]) / kBatch;
  for (long batch = 0; batch < batches; ++batch) {
    pthread_t threads[kBatch];
    for (int i = 0; i < kBatch; ++i) {
      if (pthread_create(&threads[i], NULL, run, NULL) != 0) return 1;
    }
    for (int i = 0; i < kBatch; ++i) pthread_join(threads[i], NULL);
  }
  printf("%ld threads\n", batches * kBatch);
  return 0;
}
