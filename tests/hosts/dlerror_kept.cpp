// What dlerror() has to say survives the first operator new and delete of the program.
#include <dlfcn.h>

#include <cstdio>

int main() {
  void* missing = dlopen("no-such-library.so", RTLD_NOW);
  char* volatile block = new char[100];
  const char* said = dlerror();
  std::printf("%d %s\n", missing == nullptr, said != nullptr ? said : "nothing");
  delete[] block;
  return 0;
}
