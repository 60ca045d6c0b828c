// Functions that align their stack for a local, with alloca beside it: gcc describes their frames by expressions.
#include <alloca.h>
#include <stdlib.h>

#include "tally.h"

namespace {

void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

int good = 0;

__attribute__((noinline)) void plain(int depth);

template <int kAlign>
__attribute__((noinline)) void aligned(int depth, int a, int b, int c, int d, int e, int on_the_stack) {
  alignas(kAlign) volatile char local[kAlign];
  auto* room = static_cast<volatile char*>(alloca(static_cast<size_t>(depth % 5 + 1) * 16));
  local[0] = static_cast<char>(a + b + c + d + e);
  room[0] = static_cast<char>(on_the_stack);
  touch(33);
  if (depth > 0) {
    if (depth % 2 == 0) {
      aligned<256>(depth - 1, a, b, c, d, e, depth);
    } else {
      plain(depth - 1);
    }
  }
  good += reinterpret_cast<uintptr_t>(&local[0]) % kAlign == 0 && room[0] == static_cast<char>(on_the_stack);
  touch(34);
}

void plain(int depth) {
  touch(35);
  aligned<64>(depth, 1, 2, 3, 4, 5, depth + 1);
  touch(36);
}

}  // namespace

int main() {
  alignas(128) volatile char local[128];
  auto* room = static_cast<volatile char*>(alloca(100 + (reinterpret_cast<uintptr_t>(hidden(nullptr)) & 1)));
  local[0] = 1;
  room[0] = local[0];
  for (int i = 0; i < 40; ++i) {
    plain(i);
    touch(37);
    touch(38);
  }
  print("good %d\n", good);
  expect_tally();
  return 0;
}
