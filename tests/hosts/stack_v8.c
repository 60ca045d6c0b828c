// What V8 is to an unwinder: code in the program without CFI, which its symbol table alone names, and code made at run
// time whose way out branches. Both keep a frame record. Only with V8's names in the program may that be relied upon.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>

#include "tally.h"

__attribute__((noinline)) static void touch(size_t bytes) {
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

typedef int (*Called)(void);
typedef int (*Calls)(Called);

#if defined(__x86_64__)
// An indirect jump, as its interpreter has: no proof of the frame record is possible.
extern const Calls builtin;
asm(".text\n"
    ".type Builtins_InterpreterEntryTrampoline, @function\n"
    "Builtins_InterpreterEntryTrampoline:\n"
    "  push %rbp\n"
    "  mov %rsp, %rbp\n"
    "  sub $32, %rsp\n"
    "  call *%rdi\n"
    "  lea 1f(%rip), %rcx\n"
    "  jmp *%rcx\n"
    "1: leave\n"
    "  ret\n"
    ".size Builtins_InterpreterEntryTrampoline, . - Builtins_InterpreterEntryTrampoline\n"
    ".section .data.rel.ro, \"aw\"\n"
    ".globl builtin\n"
    ".balign 8\n"
    "builtin: .quad Builtins_InterpreterEntryTrampoline\n"
    ".text\n");

static const unsigned char compiled[] = {0x55, 0x48, 0x89, 0xe5,  // push %rbp; mov %rsp,%rbp
                                         0xff, 0xd7,              // call *%rdi
                                         0x85, 0xc0, 0x75, 0x00,  // test %eax,%eax; jne to the next
                                         0xc9, 0xc3};             // leave; ret
#endif

int main(void) {
#if defined(__x86_64__)
  unsigned char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 1;
  memcpy(page, compiled, sizeof compiled);
  const Calls code = (Calls)(void*)page;
  int calls = 0;
  for (int i = 0; i < 100; ++i) calls += builtin(inside) + code(deep_inside);
  print("frames 52 whole touch inside Builtins_InterpreterEntryTrampoline main\n");
  print("frames 54 whole touch deep_inside ? main\n");
  print("calls %d\n", calls);
#else
  inside();
  deep_inside();
  print("frames 52 whole touch inside main\n");
  print("frames 54 whole touch deep_inside main\n");
#endif
  expect_tally();
  return 0;
}
