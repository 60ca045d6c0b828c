// Stacks that share some outer frames with the one before, by chance: thirteen functions with frames of different size
// call each other in an order that a random number generator picks.
#include <stdlib.h>

#include "tally.h"

namespace {

uint64_t random_state = 7;

void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

template <int kKind>
int wander(int depth);

int go_on(int depth) {
  switch (next_random(&random_state) % 5) {
    case 0: return wander<0>(depth);
    case 1: return wander<1>(depth);
    case 2: return wander<2>(depth);
    case 3: return wander<3>(depth);
    default: return wander<4>(depth);
  }
}

template <int kKind>
__attribute__((noinline)) int wander(int depth) {
  volatile char room[kKind * 24 + 1];
  room[0] = kKind;
  int calls = 1;
  touch(16 + kKind);
  while (depth > 0 && next_random(&random_state) % 8 != 0) {
    --depth;
    calls += go_on(depth);
    if (next_random(&random_state) % 2 != 0) touch(100 + kKind);
    if (calls > 40) break;
  }
  return calls + room[0] - kKind;
}

}  // namespace

int main() {
  int calls = 0;
  for (int i = 0; i < 400; ++i) calls += go_on(60);
  print("calls %d\n", calls);
  expect_tally();
  return 0;
}
