// varied_recursion STEPS: walks up and down between depth 0 and 160 through six functions, chosen by a seeded
// generator, as a recursive parser or a walk over a tree does. Each call holds a block, each step allocates and frees
// another, so that most stacks are deep and few are seen again.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { kDeepest = 160, kFunctions = 6 };

static long steps, calls;
static uint64_t state = 88172645463325252u;

static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state >> 11;
}

static void* block_of(size_t bytes) {
  char* block = malloc(bytes);
  if (block == NULL) abort();
  *(volatile char*)block = (char)bytes;
  return block;
}

typedef void Walk(int);
static Walk walk_0, walk_1, walk_2, walk_3, walk_4, walk_5;
static Walk* const walks[kFunctions] = {walk_0, walk_1, walk_2, walk_3, walk_4, walk_5};

// Two call sites and frames of different sizes: the stacks differ in more than the functions' names.
#define WALK(number)                                               \
  static __attribute__((noinline)) void walk_##number(int level) { \
    char frame[16 + 48 * number];                                  \
    __asm__ volatile("" : : "r"(frame) : "memory");                \
    void* held = block_of(24 + 16 * number);                       \
    ++calls;                                                       \
    while (steps-- > 0) {                                          \
      free(block_of(16 + (size_t)(next() % 200)));                 \
      const uint64_t choice = next();                              \
      if ((choice & 1) == 0) break;                                \
      if (level >= kDeepest) continue;                             \
      if (choice & 2) {                                            \
        walks[choice / 4 % kFunctions](level + 1);                 \
        __asm__ volatile("nop");                                   \
      } else {                                                     \
        walks[choice / 4 % kFunctions](level + 1);                 \
        __asm__ volatile("");                                      \
      }                                                            \
    }                                                              \
    free(held);                                                    \
  }

WALK(0)
WALK(1)
WALK(2)
WALK(3)
WALK(4)
WALK(5)

int main(int count, char** arguments) {
  if (count != 2) return 2;
  steps = atol(arguments[1]);
  while (steps > 0) walks[next() % kFunctions](1);
  printf("%ld calls\n", calls);
  return 0;
}
