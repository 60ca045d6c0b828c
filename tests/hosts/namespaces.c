// namespaces LIBRARY: loads it with dlmopen, into a namespace with a libc of its own, and unloads it, over and over.
// The blocks of that libc's heap stay in there; a function of this program that it calls back allocates here.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "tally.h"

enum { kRounds = 20 };

static void* blocks[kRounds];
static int block_count;

__attribute__((noinline)) static void called_back(void) { blocks[block_count++] = malloc(950); }

int main(int count, char** arguments) {
  if (count != 2) return 2;
  int good = 0;
  for (int i = 0; i < kRounds; ++i) {
    void* library = dlmopen(LM_ID_NEWLM, arguments[1], i % 2 == 0 ? RTLD_NOW : RTLD_LAZY);
    if (library == NULL) {
      print("%s\n", dlerror());
      return 1;
    }
    int (*use_heap)(int) = (int (*)(int))dlsym(library, "plugin_use_heap");
    void (*call)(void (*)(void)) = (void (*)(void (*)(void)))dlsym(library, "plugin_call");
    good += use_heap(100);
    call(called_back);
    free(malloc(951));
    dlclose(library);
  }
  for (int i = 0; i < block_count; ++i) free(blocks[i]);
  print("good %d\n", good);
  expect("sized.940", 0);
  expect("sized.941", 0);
  expect("sized.950", kRounds);
  expect("sized.951", kRounds);
  expect("open_sized.950", 0);
  expect("called_from.called_back", kRounds);
  expect("orphans", 0);
  return 0;
}
