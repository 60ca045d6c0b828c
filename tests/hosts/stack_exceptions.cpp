// Allocation while an exception unwinds: in destructors, in a catch, before a rethrow.
#include <stdlib.h>

#include "tally.h"

namespace {

void touch(size_t bytes) {
  void* block = hidden(malloc(bytes));
  free(block);
}

struct Guard {
  int depth;
  ~Guard() { touch(64 + static_cast<size_t>(depth % 8)); }
};

int caught = 0;

__attribute__((noinline)) void descend(int depth) {
  const Guard guard{depth};
  touch(32);
  if (depth == 0) throw 7;
  if (depth % 5 != 0) return descend(depth - 1);
  try {
    descend(depth - 1);
  } catch (int) {
    ++caught;
    touch(48);
    if (depth % 10 != 0) throw;
    touch(49);
  }
}

}  // namespace

int main() {
  for (int i = 0; i < 60; ++i) {
    try {
      descend(i);
    } catch (int value) {
      caught += value;
    }
  }
  print("caught %d\n", caught);
  return 0;
}
