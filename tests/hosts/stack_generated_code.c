// Code made at run time, in pages that no unwinder knows, calls back into the program; then other code with another
// frame is written to the same place. Its frames, and all outside them, cannot be known.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "tally.h"

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

__attribute__((noinline)) static int inside(void) {
  touch(52);
  return 1;
}

int main(void) {
  int calls = 0;
  for (int i = 0; i < 40; ++i) {
    unsigned char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 1;
#if defined(__x86_64__)
    const unsigned char room = (unsigned char)(8 + 16 * (i % 4));
    const unsigned char code[] = {0x48, 0x83, 0xec, room,  // sub $room,%rsp
                                  0xff, 0xd7,              // call *%rdi
                                  0x48, 0x83, 0xc4, room,  // add $room,%rsp
                                  0xc3};                   // ret
#else
    const uint32_t code[] = {0xa9bf7bfd,   // stp x29,x30,[sp,#-16]!
                             0xd63f0000,   // blr x0
                             0xa8c17bfd,   // ldp x29,x30,[sp],#16
                             0xd65f03c0};  // ret
#endif
    memcpy(page, code, sizeof code);
    __builtin___clear_cache((char*)page, (char*)page + sizeof code);
    for (int k = 0; k < 5; ++k) calls += ((int (*)(int (*)(void)))(void*)page)(inside);
    munmap(page, 4096);
    touch(53);
  }
  print("frames 52 cut touch inside ?\n");
  print("frames 53 whole touch main\n");
  print("calls %d\n", calls);
  expect_tally();
  return 0;
}
