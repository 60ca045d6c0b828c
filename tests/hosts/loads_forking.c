// loads_forking LIBRARY: loads and unloads a library whose constructor allocates and forks.
#include <dlfcn.h>
#include <stdlib.h>

#include "tally.h"

enum { kRounds = 10 };

int main(int count, char** arguments) {
  if (count != 2) return 2;
  for (int i = 0; i < kRounds; ++i) {
    void* library = dlopen(arguments[1], RTLD_NOW);
    if (library == NULL) {
      print("%s\n", dlerror());
      return 1;
    }
    free(malloc(982));
    print("closed %d\n", dlclose(library));
  }
  expect("sized.980", kRounds);
  expect("sized.981", 0);
  expect("sized.982", kRounds);
  expect("open_sized.980", 0);
  expect("orphans", 0);
  return 0;
}
