// stack_mixed_frames [ROUNDS]: a recursion in an order that a random number generator picks, through frames of every
// shape that a compiler makes, left by return, by exceptions and by longjmp. Built with several sets of options.
#include <alloca.h>
#include <setjmp.h>
#include <stdlib.h>

#include "tally.h"

namespace {

uint64_t random_state = 29;
jmp_buf base;
int catchers = 0;
long jumps = 0, caught = 0;

uint32_t random_number() { return next_random(&random_state); }

__attribute__((noinline)) void touch() {
  const size_t bytes = random_number() % 1000 + 1;
  if (bytes % 2 == 0) return;
  free(hidden(tally_add(malloc(bytes), bytes)));
  tally_sub(bytes);
}

struct Words {
  long word[40];
};

void go_on(int depth);

__attribute__((noinline)) void plain(int depth) {
  go_on(depth);
  touch();
}
__attribute__((noinline)) void ends_in_call(int depth) {
  touch();
  go_on(depth);
}
__attribute__((noinline)) void with_alloca(int depth) {
  void* const room = alloca(random_number() % 500 + 1);
  hidden(room);
  go_on(depth);
  touch();
  hidden(room);
}
// Pages in the middle of its frame are never written.
__attribute__((noinline)) void large(int depth) {
  char room[100 * 1024];
  hidden(room);
  go_on(depth);
  touch();
  hidden(room);
}
__attribute__((noinline)) void aligned(int depth) {
  alignas(64) char local[64];
  hidden(local);
  go_on(depth);
  touch();
  hidden(local);
}
__attribute__((noinline)) void aligned_with_alloca(int depth) {
  alignas(256) char local[256];
  void* const room = alloca(random_number() % 100 + 1);
  hidden(local), hidden(room);
  go_on(depth);
  touch();
  hidden(local), hidden(room);
}
__attribute__((noinline)) void aligned_with_arguments(int depth, long a, long b, long c, long d, long e, long f) {
  alignas(128) long local[16];
  void* const room = alloca(random_number() % 60 + 1);
  local[0] = a + b + c;
  hidden(local), hidden(room);
  go_on(depth);
  touch();
  local[1] = d + e + f;
  hidden(local), hidden(room);
}
__attribute__((noinline)) void passes_arguments(int depth) {
  aligned_with_arguments(depth, 1, 2, 3, 4, 5, static_cast<long>(random_number()));
  touch();
}
__attribute__((noinline)) void saves_registers(int depth) {
  const uint32_t a = random_number(), b = random_number(), c = random_number(), d = random_number(),
                 e = random_number();
  go_on(depth);
  touch();
  if (a != b && c != d) go_on(static_cast<int>(e) % 2 * depth / 2);
}
__attribute__((noinline)) Words returns_words(int depth) {
  Words words;
  words.word[0] = depth;
  hidden(&words);
  go_on(depth);
  touch();
  return words;
}
__attribute__((noinline)) void takes_words(int depth, Words words) {
  go_on(depth);
  touch();
  hidden(&words);
}
__attribute__((noinline)) void passes_words(int depth) {
  takes_words(depth / 2, returns_words(depth / 2));
  touch();
}

struct Guard {
  ~Guard() { touch(); }
};
__attribute__((noinline)) void guarded(int depth) {
  const Guard guard;
  go_on(depth);
}
__attribute__((noinline)) void guarded_aligned(int depth) {
  const Guard guard;
  alignas(64) char local[64];
  void* const room = alloca(random_number() % 70 + 1);
  hidden(local), hidden(room);
  go_on(depth);
  hidden(local), hidden(room);
}
__attribute__((noinline)) void catches(int depth) {
  ++catchers;
  try {
    go_on(depth);
  } catch (int value) {
    caught += value;
    touch();
  }
  --catchers;
  touch();
}
__attribute__((noinline)) void throws(int depth) {
  touch();
  if (catchers > 0 && random_number() % 8 == 0) throw 1;
  go_on(depth);
}
[[noreturn]] __attribute__((noinline)) void never_returns(int depth) {
  go_on(depth);
  touch();
  ++jumps;
  longjmp(base, 1);
}
__attribute__((noinline)) void ends_in_noreturn(int depth) {
  if (random_number() % 64 != 0) return go_on(depth);
  never_returns(depth);
}

void go_on(int depth) {
  touch();
  if (depth <= 0 || random_number() % 48 == 0) return;
  static void (*const shapes[])(int) = {
      plain,           ends_in_call,        with_alloca,      large,   aligned,         passes_words,
      saves_registers, aligned_with_alloca, passes_arguments, guarded, guarded_aligned, catches,
      throws,          ends_in_noreturn};
  shapes[random_number() % (sizeof shapes / sizeof shapes[0])](depth - 1);
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? atoi(arguments[1]) : 200;
  static int round = 0;
  for (; round < rounds; ++round) {
    if (setjmp(base) == 0) go_on(10 + round % 60);
    catchers = 0;
  }
  print("caught %ld jumps %ld\n", caught, jumps);
  expect_tally();
  return 0;
}
