// A function that goes on on another stack in the middle of its frame (as segmented stacks and rustc's stacker do): the
// frame outside lies at a lower or a higher address, on a stack of its own.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "tally.h"

int call_on_stack(int (*function)(int), int argument, void* top);

#if defined(__x86_64__)
__asm__(
    ".text\n.globl call_on_stack\n.type call_on_stack,@function\ncall_on_stack:\n.cfi_startproc\n"
    "push %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset rbp,-16\nmov %rsp,%rbp\n.cfi_def_cfa_register rbp\n"
    "mov %rdx,%rsp\nmov %rdi,%rax\nmov %esi,%edi\ncall *%rax\n"
    "mov %rbp,%rsp\npop %rbp\n.cfi_def_cfa rsp,8\n.cfi_restore rbp\nret\n"
    ".cfi_endproc\n.size call_on_stack,.-call_on_stack\n");
#else
__asm__(
    ".text\n.globl call_on_stack\n.type call_on_stack,%function\ncall_on_stack:\n.cfi_startproc\n"
    "stp x29,x30,[sp,#-16]!\n.cfi_def_cfa_offset 16\n.cfi_offset 29,-16\n.cfi_offset 30,-8\n"
    "mov x29,sp\n.cfi_def_cfa_register 29\nmov sp,x2\nmov x9,x0\nmov w0,w1\nblr x9\nmov sp,x29\n"
    "ldp x29,x30,[sp],#16\n.cfi_def_cfa 31,0\n.cfi_restore 29\n.cfi_restore 30\nret\n"
    ".cfi_endproc\n.size call_on_stack,.-call_on_stack\n");
#endif

enum { kStackBytes = 256 * 1024, kStacks = 4 };
static char* stacks[kStacks];

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

__attribute__((noinline)) static int descend(int depth) {
  touch(72);
  if (depth == 0) return 1;
  const int frames = depth % 8 == 0 ? call_on_stack(descend, depth - 1, stacks[depth / 8 % kStacks] + kStackBytes)
                                    : descend(depth - 1);
  touch(73);
  return frames + 1;
}

int main(void) {
  char* area = mmap(NULL, kStackBytes * kStacks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return 1;
  static const int order[kStacks] = {2, 0, 3, 1};
  for (int i = 0; i < kStacks; ++i) stacks[i] = area + (size_t)order[i] * kStackBytes;
  int frames = 0;
  for (int i = 0; i < 32; ++i) frames += descend(i);
  print("frames %d\n", frames);
  expect_tally();
  return 0;
}
