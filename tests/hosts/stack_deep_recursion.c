// Deeper than any depth limit, then back: the cut moves with every call.
#include <stdlib.h>

#include "tally.h"

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

static int descend(int depth) {
  if (depth % 3 == 0) touch(32);
  if (depth == 0) return 0;
  const int below = descend(depth - 1);
  if (depth % 7 == 0) touch(48);
  return below + 1;
}

int main(void) {
  int frames = 0;
  static const int depths[] = {10, 1500, 100, 255, 256, 257, 258, 1023, 1024, 1025, 5};
  for (size_t i = 0; i < sizeof depths / sizeof depths[0]; ++i) frames += descend(depths[i]);
  print("frames %d\n", frames);
  expect_tally();
  return 0;
}
