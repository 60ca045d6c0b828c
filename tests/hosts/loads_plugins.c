// loads_plugins FLAGS FIRST SECOND: loads and unloads two libraries in turn, so that one often lands where the other
// was, with blocks made by each while it is there. FLAGS: now, lazy, deepbind, global.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

#include "plugin.h"
#include "tally.h"

enum { kRounds = 100 };

int main(int count, char** arguments) {
  if (count != 4) return 2;
  int flags = RTLD_NOW;
  if (strcmp(arguments[1], "lazy") == 0) flags = RTLD_LAZY;
  if (strcmp(arguments[1], "deepbind") == 0) flags = RTLD_NOW | RTLD_DEEPBIND;
  if (strcmp(arguments[1], "global") == 0) flags = RTLD_NOW | RTLD_GLOBAL;
  void* kept[kRounds];
  int good = 0;
  for (int i = 0; i < kRounds; ++i) {
    void* library = dlopen(arguments[2 + i % 2], flags);
    if (library == NULL) {
      print("%s\n", dlerror());
      return 1;
    }
    void* (*allocate)(size_t) = (void* (*)(size_t))dlsym(library, "plugin_allocate");
    kept[i] = allocate(920 + (size_t)(i % 2));
    for (int k = 0; k < 10; ++k) free(allocate(930));
    good += dlclose(library) == 0;
  }
  for (int i = 0; i < kRounds; ++i) free(kept[i]);
  print("rounds %d\n", good);
  expect("sized.920", kRounds / 2);
  expect("sized.921", kRounds / 2);
  expect("sized.930", kRounds * 10);
  expect("called_from.plugin_allocate", kRounds * 11);
  expect("open_sized.910", 0);
  expect("orphans", 0);
  return 0;
}
