// c_program_cxx_plugin LIBRARY: a program that knows nothing of C++ loads a plugin that throws.
#include <dlfcn.h>
#include <stdlib.h>

#include "plugin.h"
#include "tally.h"

int main(int count, char** arguments) {
  if (count != 2) return 2;
  for (int i = 0; i < 3; ++i) {
    void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
      print("%s\n", dlerror());
      return 1;
    }
    int (*throw_through)(int) = (int (*)(int))dlsym(library, "plugin_throw");
    print("caught %d\n", throw_through(1));
    print("caught %d\n", throw_through(1000));
    dlclose(library);
  }
  expect("orphans", 0);
  return 0;
}
