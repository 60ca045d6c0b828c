// Functions of mimalloc's names in the program, with habits that a hook must bear. Compiled with ODD_ALLOCATOR_THROWS,
// or with ODD_ALLOCATOR_LOOPS: one of those cannot be hooked, and so none.
#include <stdlib.h>

#include <new>

#include "tally.h"

extern "C" {
__attribute__((noinline)) void* mi_malloc(size_t bytes) { return malloc(bytes); }
__attribute__((noinline)) void mi_free(void* block) { free(block); }
__attribute__((noinline)) void* mi_new(size_t bytes) {
  if (bytes > (size_t{1} << 40)) throw std::bad_alloc();
  return mi_malloc(bytes);
}
}

namespace {

// Below where mi_new was left by an exception.
__attribute__((noinline)) void allocate_deeper() {
  char room[512];
  hidden(room);
  for (int i = 0; i < 100; ++i) {
    mi_free(mi_malloc(21));
    free(hidden(malloc(22)));
  }
}

}  // namespace

#if defined(ODD_ALLOCATOR_LOOPS) && defined(__x86_64__)
// Its first instruction is the head of a loop, as compilers make them of a spinlock.
extern "C" void* mi_zalloc(size_t bytes);
asm(".text\n"
    ".balign 16\n"
    ".globl mi_zalloc\n"
    ".type mi_zalloc, @function\n"
    "mi_zalloc:\n"
    "  sub $1, %rdi\n"
    "  jne mi_zalloc\n"
    "  lea mi_zalloc_room(%rip), %rax\n"
    "  ret\n"
    ".size mi_zalloc, . - mi_zalloc\n"
    ".local mi_zalloc_room\n"
    ".comm mi_zalloc_room, 64, 16\n");
#endif

int main() {
#if defined(ODD_ALLOCATOR_LOOPS) && defined(__x86_64__)
  print("%s\n", mi_zalloc(1'000'000) != nullptr ? "looped" : "nothing");
#endif
  mi_free(mi_new(23));
  try {
    mi_new(size_t{1} << 50);
  } catch (const std::bad_alloc&) {
    print("caught\n");
  }
  allocate_deeper();
  return 0;
}
