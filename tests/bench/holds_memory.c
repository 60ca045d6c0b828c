// holds_memory BLOCKS: so many blocks of 48 bytes, each of which points to the one before, held at the end.
#include <stdlib.h>

static void** newest;

int main(int count, char** arguments) {
  for (long left = count > 1 ? atol(arguments[1]) : 0; left > 0; --left) {
    void** const block = malloc(48);
    if (block == NULL) return 1;
    *block = newest;
    newest = block;
  }
  return 0;
}
