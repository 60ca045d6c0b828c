// execs_itself N: a chain of N images of this program in one process, each with blocks of its own.
#include <stdlib.h>

#include "tally.h"

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const int left = atoi(arguments[1]);
  for (int i = 0; i < 10 + left; ++i) {
    void* block = malloc(50);
    if (i > 0) free(hidden(block));
  }
  print("image with %d to go\n", left);
  if (left == 0) return 6;
  char number[16];
  snprintf(number, sizeof number, "%d", left - 1);
  execl(arguments[0], arguments[0], number, (char*)NULL);
  return 1;
}
