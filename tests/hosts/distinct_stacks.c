// distinct_stacks BITS: allocates and frees once from each of 2^BITS call stacks, which differ in which of two calls of
// each of BITS functions they lead through.
#include <stdlib.h>

#include "tally.h"

static __attribute__((noinline)) void along(unsigned path, unsigned depth) {
  if (depth == 0) {
    free(hidden(tally_add(malloc(48), 48)));
    tally_sub(48);
    return;
  }
  if (path & 1) {
    along(path >> 1, depth - 1);
    __asm__ volatile("nop");
  } else {
    along(path >> 1, depth - 1);
    __asm__ volatile("");
  }
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const unsigned bits = (unsigned)atoi(arguments[1]);
  if (bits > 24) return 2;
  for (unsigned path = 0; path < 1u << bits; ++path) along(path, bits);
  expect("stacks", 1ul << bits);
  expect("events", 2ul << bits);
  expect("orphans", 0);
  expect_tally();
  return 0;
}
