// Allocates, says "ready", and goes on when its standard input ends.
#include <stdlib.h>

#include "tally.h"

int main(void) {
  char byte;
  for (int i = 0; i < 100; ++i) free(hidden(malloc(810)));
  void* open_block = hidden(malloc(811));
  print("ready\n");
  while (read(0, &byte, 1) > 0) {
  }
  for (int i = 0; i < 100; ++i) free(hidden(malloc(812)));
  print("done\n");
  return open_block == NULL;
}
