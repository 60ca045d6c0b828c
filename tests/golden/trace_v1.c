// The program whose recording is trace_v1.bin: a little of everything, the same on every run.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void* volatile sink;

__attribute__((noinline)) static void* make(size_t size) {
  void* block = malloc(size);
  memset(block, 1, size);
  return sink = block;
}

__attribute__((noinline)) static void churn(int times) {
  for (int i = 0; i < times; ++i) free(make(32 + (size_t)i % 3 * 16));
}

static void* work(void* block) {
  free(block);
  churn(10);
  return make(77);  // freed by main
}

int main(void) {
  churn(100);
  void* grown = make(10);
  for (size_t size = 100; size <= 1000; size += 100) grown = realloc(grown, size);
  sink = grown;  // 1000 bytes stay open
  void* map = mmap(NULL, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap((char*)map + 4 * 4096, 4 * 4096);
  pthread_t thread;
  pthread_create(&thread, NULL, work, make(55));
  void* from_thread = NULL;
  pthread_join(thread, &from_thread);
  free(from_thread);
  sink = aligned_alloc(64, 128);  // 128 stay open
  return 0;
}
