// cross_free BLOCKS: one thread allocates, another frees what it is handed through a bounded ring.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { kBatch = 64, kBatches = 32 };

static void* ring[kBatches][kBatch];
static long batches, filled, emptied;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

// Waits until `counter`, which the other thread moves, has passed `least`.
static void wait_past(const long* counter, long least) {
  pthread_mutex_lock(&mutex);
  while (*counter <= least) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
}

static void advance(long* counter) {
  pthread_mutex_lock(&mutex);
  ++*counter;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
}

static void* consume(void* unused) {
  for (long batch = 0; batch < batches; ++batch) {
    wait_past(&filled, batch);
    for (int i = 0; i < kBatch; ++i) free(ring[batch % kBatches][i]);
    advance(&emptied);
  }
  return unused;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  batches = atol(arguments[1]) / kBatch;
  pthread_t consumer;
  if (pthread_create(&consumer, NULL, consume, NULL) != 0) return 1;
  for (long batch = 0; batch < batches; ++batch) {
    wait_past(&emptied, batch - kBatches);
    for (int i = 0; i < kBatch; ++i) {
      char* block = malloc(16 + (size_t)(i * 24) % 240);
      if (block == NULL) abort();
      *block = (char)i;
      ring[batch % kBatches][i] = block;
    }
    advance(&filled);
  }
  pthread_join(consumer, NULL);
  printf("%ld blocks\n", batches * kBatch);
  return 0;
}
