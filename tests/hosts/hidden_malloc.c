// A malloc that the program keeps to itself: libc, and the stdio of this program, go on with libc's. The functions that
// are static, and named like an allocator's, are none.
#include <stdlib.h>

#include "tally.h"

#define HIDDEN __attribute__((visibility("hidden"), noinline))

static char arena[1 << 20] __attribute__((aligned(16)));
static size_t used;

HIDDEN void* malloc(size_t bytes) {
  void* block = arena + used;
  used += (bytes + 15) & ~(size_t)15;
  return used <= sizeof arena ? block : NULL;
}
HIDDEN void free(void* block) {
  if (block == arena + used) used = 0;
}
HIDDEN void* realloc(void* block, size_t bytes) {
  char* fresh = malloc(bytes);  // a part of it, and so is the free
  if (fresh != NULL && block != NULL) memmove(fresh, block, bytes);
  free(block);
  return fresh;
}

static __attribute__((noinline)) void* mi_malloc(size_t bytes) { return hidden(arena + bytes); }
static __attribute__((noinline)) void mi_free(void* block) { hidden(block); }

int main(void) {
  for (size_t i = 0; i < 10; ++i) {
    void* block = hidden(malloc(100 + i));
    if (i % 2 == 0) free(block);
  }
  void* block = hidden(realloc(hidden(malloc(201)), 302));
  free(block);
  for (int i = 0; i < 3; ++i) mi_free(mi_malloc(8));
  FILE* file = fopen("/dev/null", "w");  // libc's malloc, and its free
  if (file == NULL || fclose(file) != 0) return 1;
  print("done\n");
  return 0;
}
