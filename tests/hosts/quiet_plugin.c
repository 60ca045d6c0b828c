// Does nothing until it is called: no stack leads into it before.
#include <stdlib.h>

void* quiet_allocate(size_t bytes) {
  void* block = malloc(bytes);
  __asm__ volatile("" : : : "memory");
  return block;
}
