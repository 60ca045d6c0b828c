// secure_linked is linked with memprof itself, so that it is there even in a set-uid copy, where the loader ignores
// LD_PRELOAD: under AT_SECURE the library does nothing.
#include <stdlib.h>
#include <sys/auxv.h>

#include "tally.h"

int main(void) {
  for (int i = 0; i < 10; ++i) free(hidden(tally_add(malloc(10), 10)));
  print("secure %lu\n", getauxval(AT_SECURE));
  return 0;
}
