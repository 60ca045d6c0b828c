// loads_deepbind LIBRARY: a plugin that is bound to libc's own malloc uses the heap by itself, and frees blocks of the
// program's. Its calls pass memprof by; the program's own do not.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "tally.h"

int main(int count, char** arguments) {
  if (count != 2) return 2;
  int sum = 0;
  for (int i = 0; i < 10; ++i) {
    void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (library == NULL) {
      print("%s\n", dlerror());
      return 1;
    }
    int (*churn)(int) = (int (*)(int))dlsym(library, "plugin_churn");
    void (*free_there)(void*) = (void (*)(void*))dlsym(library, "plugin_free");
    sum += churn(100);
    for (int k = 0; k < 5; ++k) free(hidden(malloc(970)));
    free_there(malloc(30000 + (size_t)i));
    dlclose(library);
  }
  print("sum %d\n", sum);
  expect("sized.960", 0);
  expect("sized.961", 0);
  expect("sized.962", 0);
  expect("sized.970", 50);
  expect("open_sized.970", 0);
  expect("orphans", 0);
  return 0;
}
