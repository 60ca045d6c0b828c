// Loaded into a namespace of its own, with a libc of its own.
#include <stdlib.h>

static void* kept;

void plugin_call(void (*function)(void)) {
  function();
  __asm__ volatile("" : : : "memory");
}

// Blocks of the other libc's heap: made, grown and freed in there.
int plugin_use_heap(int count) {
  int good = 0;
  for (int i = 0; i < count; ++i) {
    char* block = malloc(940);
    block = realloc(block, 941);
    block[940] = 1;
    free(kept);
    kept = block;
    ++good;
  }
  return good;
}
