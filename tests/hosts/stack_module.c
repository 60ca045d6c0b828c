// Built twice, as two modules of the same size for stack_reloaded_module: STACK_MODULE_ROOM is the size of the frame
// around a call that stands at the same place in both.
#include <stdlib.h>

#if defined(__x86_64__)
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
__asm__(
    ".text\n.balign 4096\n.globl stack_module_call\n.type stack_module_call,@function\nstack_module_call:\n"
    ".cfi_startproc\nsub $" TEXT(STACK_MODULE_ROOM) ",%rsp\n.cfi_adjust_cfa_offset " TEXT(STACK_MODULE_ROOM) "\n"
    "call *%rdi\nadd $" TEXT(STACK_MODULE_ROOM) ",%rsp\n.cfi_adjust_cfa_offset -" TEXT(STACK_MODULE_ROOM) "\nret\n"
    ".cfi_endproc\n.size stack_module_call,.-stack_module_call\n");
#else
__attribute__((visibility("default"))) int stack_module_call(int (*function)(void)) {
  volatile char room[STACK_MODULE_ROOM];
  room[0] = 1;
  return function() + room[0] - 1;
}
#endif
