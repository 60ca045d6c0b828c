// Assembly without call frame information between two C functions. What lies outside it cannot be known: the stack must
// be reported as cut, not guessed, although the assembly happens to keep a frame pointer.
#include <stdlib.h>

#include "tally.h"

int call_without_cfi(int (*function)(int), int argument);

#if defined(__x86_64__)
__asm__(
    ".text\n.globl call_without_cfi\n.type call_without_cfi,@function\n"
    "call_without_cfi:\npush %rbp\nmov %rsp,%rbp\nmov %rdi,%rax\nmov %esi,%edi\ncall *%rax\npop %rbp\nret\n"
    ".size call_without_cfi,.-call_without_cfi\n");
#else
__asm__(
    ".text\n.globl call_without_cfi\n.type call_without_cfi,%function\n"
    "call_without_cfi:\nstp x29,x30,[sp,#-16]!\nmov x29,sp\nmov x9,x0\nmov w0,w1\nblr x9\nldp x29,x30,[sp],#16\nret\n"
    ".size call_without_cfi,.-call_without_cfi\n");
#endif

enum { kInside = 5 };

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

__attribute__((noinline)) static int inside(int depth) {
  touch(60 + (size_t)depth);
  return depth > 0 ? inside(depth - 1) + 1 : 1;
}
__attribute__((noinline)) static int outside(int depth) {
  touch(45);
  return depth > 0 ? outside(depth - 1) + 1 : call_without_cfi(inside, kInside);
}

int main(void) {
  int frames = 0;
  for (int i = 0; i < 20; ++i) frames += outside(i);
  for (int depth = 0; depth <= kInside; ++depth) {
    print("frames %d cut touch", 60 + depth);
    for (int i = depth; i <= kInside; ++i) print(" inside");
    print(" call_without_cfi\n");
  }
  print("frames 45 whole touch outside\n");
  print("calls %d\n", frames);
  expect_tally();
  return 0;
}
