// A switch between stacks by hand, as boost.context does it, with correct CFI. The program defines run_fiber(), where a
// fiber begins; enter_fiber calls it, and its CFI says that it has no caller.
#pragma once

void switch_stack(void** save, void* to);
void enter_fiber(void);
void run_fiber(void);

#if defined(__x86_64__)
#define PUSH(name) "push %" #name "\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset " #name ",0\n"
#define POP(name) "pop %" #name "\n.cfi_adjust_cfa_offset -8\n.cfi_restore " #name "\n"
__asm__(
    ".text\n.globl switch_stack\n.type switch_stack,@function\n"
    "switch_stack:\n.cfi_startproc\n"
    PUSH(rbp) PUSH(rbx) PUSH(r12) PUSH(r13) PUSH(r14) PUSH(r15)
    "mov %rsp,(%rdi)\nmov %rsi,%rsp\n"
    POP(r15) POP(r14) POP(r13) POP(r12) POP(rbx) POP(rbp)
    "ret\n.cfi_endproc\n.size switch_stack,.-switch_stack\n"
    ".globl enter_fiber\n.type enter_fiber,@function\n"
    "enter_fiber:\n.cfi_startproc\n.cfi_undefined rip\n"
    "call run_fiber\nud2\n.cfi_endproc\n.size enter_fiber,.-enter_fiber\n");
#else
#define MOVE_REST(op)                                                                                    \
  op " x19,x20,[sp,#16]\n" op " x21,x22,[sp,#32]\n" op " x23,x24,[sp,#48]\n" op " x25,x26,[sp,#64]\n" op \
     " x27,x28,[sp,#80]\n" op " d8,d9,[sp,#96]\n" op " d10,d11,[sp,#112]\n" op " d12,d13,[sp,#128]\n" op \
     " d14,d15,[sp,#144]\n"
__asm__(
    ".text\n.globl switch_stack\n.type switch_stack,%function\n"
    "switch_stack:\n.cfi_startproc\n"
    "stp x29,x30,[sp,#-160]!\n.cfi_def_cfa_offset 160\n.cfi_offset 29,-160\n.cfi_offset 30,-152\n"
    MOVE_REST("stp") "mov x9,sp\nstr x9,[x0]\nmov sp,x1\n" MOVE_REST("ldp")
    "ldp x29,x30,[sp],#160\n.cfi_def_cfa_offset 0\n.cfi_restore 29\n.cfi_restore 30\n"
    "ret\n.cfi_endproc\n.size switch_stack,.-switch_stack\n"
    ".globl enter_fiber\n.type enter_fiber,%function\n"
    "enter_fiber:\n.cfi_startproc\n.cfi_undefined x30\n"
    "bl run_fiber\nbrk #1\n.cfi_endproc\n.size enter_fiber,.-enter_fiber\n");
#endif
