// Assembly whose CFI is wrong: it leads to memory that is not there, to odd addresses, back to itself. What comes out
// is the program's own fault; that it goes on undisturbed is the point.
#include <stdlib.h>

#include "tally.h"

int call_far(int (*function)(int), int argument);
int call_nowhere(int (*function)(int), int argument);
int call_odd(int (*function)(int), int argument);
int call_itself(int (*function)(int), int argument);
int call_clobbered(int (*function)(int), int argument);

#if defined(__x86_64__)
#define FUNCTION(name, cfi)                                                                                 \
  __asm__(".text\n.globl " #name "\n.type " #name ",@function\n" #name ":\n.cfi_startproc\npush %rbp\n" cfi \
          "\nmov $0x1234567,%ebp\nmov %rdi,%rax\nmov %esi,%edi\ncall *%rax\npop %rbp\nret\n.cfi_endproc\n"  \
          ".size " #name ",.-" #name "\n")
FUNCTION(call_far, ".cfi_def_cfa_offset 120000\n");
FUNCTION(call_nowhere, ".cfi_escape 0x0f,9,0x0e,0,0,0,0,0,0,0,0x12\n");  // CFA = 0x1200000000000000
FUNCTION(call_odd, ".cfi_def_cfa_offset 19\n");
FUNCTION(call_itself, ".cfi_def_cfa_offset 0\n");
FUNCTION(call_clobbered, ".cfi_def_cfa rbp,16\n");
#else
int call_far(int (*function)(int), int argument) { return function(argument); }
int call_nowhere(int (*function)(int), int argument) { return function(argument); }
int call_odd(int (*function)(int), int argument) { return function(argument); }
int call_itself(int (*function)(int), int argument) { return function(argument); }
int call_clobbered(int (*function)(int), int argument) { return function(argument); }
#endif

static int touch(int bytes) {
  void* block = hidden(tally_add(malloc((size_t)bytes), (size_t)bytes));
  tally_sub((size_t)bytes);
  free(block);
  return 1;
}

int main(void) {
  int calls = 0;
  for (int i = 0; i < 30; ++i) {
    calls += call_far(touch, 16) + call_nowhere(touch, 17) + call_odd(touch, 18) + call_itself(touch, 19) +
             call_clobbered(touch, 20);
  }
  print("calls %d\n", calls);
  expect_tally();
  return 0;
}
