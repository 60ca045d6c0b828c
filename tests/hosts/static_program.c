// Linked statically: no loader, so no preload.
#include <stdlib.h>
#include <unistd.h>

int main(void) {
  void* block = malloc(10);
  free(block);
  return write(1, "static\n", 7) == 7 ? 4 : 1;
}
