// A library that is loaded and unloaded over and over.
#include <stdlib.h>

#include "plugin.h"

static void* from_constructor;
__attribute__((constructor)) static void start(void) { from_constructor = malloc(910); }
__attribute__((destructor)) static void stop(void) { free(from_constructor); }

void* plugin_allocate(size_t bytes) {
  void* block = malloc(bytes);
  __asm__ volatile("" : : : "memory");
  return block;
}
