// What every stub of a patched function jumps to: keeps the arguments in an array, and calls on_hooked_call().
#if defined(__x86_64__)

// Its unwinding rules are whole, as exceptions of the function's own pass through it. Stack arguments stay where they
// are: behind the frame.
asm(R"(
    .text
    .globl memprof_hook_call
    .hidden memprof_hook_call
    .type memprof_hook_call, @function
memprof_hook_call:
    .cfi_startproc
    push %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    mov %rsp, %rbp
    .cfi_def_cfa_register %rbp
    sub $48, %rsp
    and $-16, %rsp
    mov %rdi, 0(%rsp)
    mov %rsi, 8(%rsp)
    mov %rdx, 16(%rsp)
    mov %rcx, 24(%rsp)
    mov %r8, 32(%rsp)
    mov %r9, 40(%rsp)
    mov %rsp, %rdi
    mov %r11, %rsi
    mov %rbp, %rdx
    call memprof_on_hooked_call
    leave
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size memprof_hook_call, . - memprof_hook_call
)");

#endif
