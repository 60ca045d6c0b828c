// Assembly with correct CFI that is not of the usual form: a CFA that an expression gives, a frame pointer saved far
// away, frames larger than a rule can say, a return address that is not where the call put it, rbp as a plain number.
#include <stdlib.h>

#include "tally.h"

int call_expression(int (*function)(int), int argument);
int call_huge(int (*function)(int), int argument);
int call_far_saved(int (*function)(int), int argument);
int call_moved_return(int (*function)(int), int argument);
int call_number_in_rbp(int (*function)(int), int argument);

#if defined(__x86_64__)
#define FUNCTION(name, body)                                                                      \
  __asm__(".text\n.globl " #name "\n.type " #name ",@function\n" #name ":\n.cfi_startproc\n" body \
          "\n.cfi_endproc\n.size " #name ",.-" #name "\n")
#define CALL "mov %rdi,%rax\nmov %esi,%edi\ncall *%rax\n"

// CFA = [rsp + 24] + 8, and rbp saved at an address that an expression gives.
FUNCTION(call_expression,
         "push %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset rbp,-16\n"
         "mov %rsp,%rax\nadd $8,%rax\n"
         "sub $32,%rsp\n.cfi_def_cfa_offset 48\n"
         "mov %rax,24(%rsp)\n"
         // DW_CFA_def_cfa_expression, 5 bytes: breg7 24, deref, plus_uconst 8
         ".cfi_escape 0x0f,5,0x77,24,0x06,0x23,8\n"
         // DW_CFA_expression rbp, 5 bytes: drop, breg7 16, plus_uconst 16 (as a sum: 32 above rsp)
         ".cfi_escape 0x10,6,5,0x13,0x77,16,0x23,16\n"
         "mov $99,%ebp\n" CALL
         "add $32,%rsp\n.cfi_def_cfa rsp,16\n.cfi_offset rbp,-16\n"
         "pop %rbp\n.cfi_def_cfa_offset 8\n.cfi_restore rbp\nret\n");
FUNCTION(call_huge,
         "sub $400008,%rsp\n.cfi_def_cfa_offset 400016\n" CALL "add $400008,%rsp\n.cfi_def_cfa_offset 8\nret\n");
FUNCTION(call_far_saved,
         "sub $40024,%rsp\n.cfi_def_cfa_offset 40032\nmov %rbp,(%rsp)\n.cfi_rel_offset rbp,0\nmov $5,%ebp\n" CALL
         "mov (%rsp),%rbp\n.cfi_restore rbp\nadd $40024,%rsp\n.cfi_def_cfa_offset 8\nret\n");
// The return address is taken off and pushed again, lower.
FUNCTION(call_moved_return,
         "pop %rax\n.cfi_def_cfa_offset 0\n.cfi_register rip,rax\n"
         "push %rbx\n.cfi_def_cfa_offset 8\n.cfi_offset rbx,-8\n"
         "push %rax\n.cfi_def_cfa_offset 16\n.cfi_offset rip,-16\n" CALL
         "pop %rdx\n.cfi_def_cfa_offset 8\n.cfi_register rip,rdx\n"
         "pop %rbx\n.cfi_def_cfa_offset 0\n.cfi_restore rbx\njmp *%rdx\n");
FUNCTION(call_number_in_rbp,
         "push %rbp\n.cfi_def_cfa_offset 16\n.cfi_offset rbp,-16\n"
         "mov counter(%rip),%rbp\nincq counter(%rip)\n" CALL
         "pop %rbp\n.cfi_def_cfa_offset 8\n.cfi_restore rbp\nret\n");
__asm__(".data\n.balign 8\ncounter: .quad 1\n.text\n");
#else
int call_expression(int (*function)(int), int argument) { return function(argument); }
int call_huge(int (*function)(int), int argument) { return function(argument); }
int call_far_saved(int (*function)(int), int argument) { return function(argument); }
int call_moved_return(int (*function)(int), int argument) { return function(argument); }
int call_number_in_rbp(int (*function)(int), int argument) { return function(argument); }
#endif

static void touch(size_t bytes) {
  void* block = hidden(tally_add(malloc(bytes), bytes));
  tally_sub(bytes);
  free(block);
}

static uint64_t random_state = 11;

__attribute__((noinline)) static int descend(int depth) {
  touch(62);
  if (depth == 0) return 1;
  int frames = 1;
  switch (next_random(&random_state) % 7) {
    case 0: frames += call_expression(descend, depth - 1); break;
    case 1: frames += call_huge(descend, depth - 1); break;
    case 2: frames += call_far_saved(descend, depth - 1); break;
    case 3: frames += call_moved_return(descend, depth - 1); break;
    case 4: frames += call_number_in_rbp(descend, depth - 1); break;
    default: frames += descend(depth - 1); break;
  }
  touch(63);
  return frames;
}

int main(void) {
  int frames = 0;
  for (int i = 0; i < 100; ++i) frames += descend(i % 24);
  print("frames %d\n", frames);
  expect_tally();
  return 0;
}
