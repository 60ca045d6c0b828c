// Code made at run time, in pages that no unwinder knows, calls back into the program; then other code with another
// frame is written to the same place. Where the way out of it is a straight line, its frames can be known all the same
// (on x86-64); else they, and all outside them, cannot.
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

__attribute__((noinline)) static int deep_inside(void) {
  touch(54);
  return 1;
}

int main(void) {
  int calls = 0;
  for (int i = 0; i < 40; ++i) {
    unsigned char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return 1;
#if defined(__x86_64__)
    const unsigned char room = (unsigned char)(8 + 16 * (i % 4));
    const unsigned char codes[3][16] = {{0x48, 0x83, 0xec, room,              // sub $room,%rsp
                                         0xff, 0xd7,                          // call *%rdi
                                         0x48, 0x83, 0xc4, room,              // add $room,%rsp
                                         0xc3},                               // ret
                                        {0x55, 0x48, 0x89, 0xe5,              // push %rbp; mov %rsp,%rbp
                                         0x53, 0x48, 0x83, 0xec, room,        // push %rbx; sub $room,%rsp
                                         0xff, 0xd7,                          // call *%rdi
                                         0xc9, 0xc3},                         // leave; ret
                                        {0x48, 0x83, 0xec, room,              // as the first
                                         0xff, 0xd7, 0x85, 0xc0, 0x75, 0x00,  // test %eax,%eax; jne to the next
                                         0x48, 0x83, 0xc4, room, 0xc3}};
    const unsigned char* code = codes[i % 3];
    const size_t code_bytes = sizeof codes[0];
    int (*called)(void) = i % 3 == 2 ? deep_inside : inside;
#else
    int (*called)(void) = deep_inside;
    const uint32_t code[] = {0xa9bf7bfd,   // stp x29,x30,[sp,#-16]!
                             0xd63f0000,   // blr x0
                             0xa8c17bfd,   // ldp x29,x30,[sp],#16
                             0xd65f03c0};  // ret
    const size_t code_bytes = sizeof code;
#endif
    memcpy(page, code, code_bytes);
    __builtin___clear_cache((char*)page, (char*)page + code_bytes);
    for (int k = 0; k < 5; ++k) calls += ((int (*)(int (*)(void)))(void*)page)(called);
    munmap(page, 4096);
    touch(53);
  }
#if defined(__x86_64__)
  print("frames 52 whole touch inside ? main\n");
#else
  inside();
#endif
  print("frames 54 cut touch deep_inside ?\n");
  print("frames 53 whole touch main\n");
  print("calls %d\n", calls);
  expect_tally();
  return 0;
}
