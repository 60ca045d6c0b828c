// stack_reloaded_module FIRST SECOND: two modules that are loaded and unloaded in turn, usually at the same addresses.
// The same return address then has another frame around it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "tally.h"

static int touch(void) {
  void* block = hidden(malloc(90));
  free(block);
  return 1;
}

int main(int count, char** arguments) {
  if (count != 3) return 2;
  int calls = 0;
  for (int i = 0; i < 100; ++i) {
    void* module = dlopen(arguments[1 + i % 2], RTLD_NOW);
    if (module == NULL) {
      print("%s\n", dlerror());
      return 1;
    }
    int (*call)(int (*)(void)) = (int (*)(int (*)(void)))dlsym(module, "stack_module_call");
    for (int k = 0; k < 3; ++k) calls += call(touch);
    if (dlclose(module) != 0) return 1;
  }
  print("calls %d\n", calls);
  return 0;
}
